/** Pub/sub: wake-ups that may be lost without harm, because stored state decides. */
import type { Redis } from 'ioredis';
import { cancelChannel, cancelledKey } from './keys.js';

/** Channels on which outside programs can listen for tasks. */
export const TASKS_NEW = 'tasks:new';
export const TASKS_COMPLETE = 'tasks:complete';

export interface TaskNotice {
  readonly prefix: string;
  readonly project: string;
  readonly goal: string;
  readonly task: string;
  readonly name: string;
  readonly capability: string;
  readonly state: string;
}

export async function publishTasks(
  client: Redis,
  notices: readonly { channel: typeof TASKS_NEW | typeof TASKS_COMPLETE; notice: TaskNotice }[],
): Promise<void> {
  const pipeline = client.pipeline();
  for (const { channel, notice } of notices) pipeline.publish(channel, JSON.stringify(notice));
  await pipeline.exec();
}

/** Milliseconds that a cancelled goal stays marked in Redis: longer than any claim can be under way. */
const MARK = 7 * 24 * 3_600_000;

/** Marks the goal for workers that are about to begin, and tells those that run. */
export async function announceCancel(client: Redis, prefix: string, goal: string): Promise<void> {
  await client
    .multi()
    .sadd(cancelledKey(prefix), goal)
    .pexpire(cancelledKey(prefix), MARK)
    .publish(cancelChannel(prefix), goal)
    .exec();
}

/** Calls `onCancel` with each goal that is cancelled from now on. */
export async function listenForCancel(
  subscriber: Redis,
  prefix: string,
  onCancel: (goal: string) => void,
): Promise<void> {
  subscriber.on('message', (_channel, goal) => onCancel(goal));
  await subscriber.subscribe(cancelChannel(prefix));
}
