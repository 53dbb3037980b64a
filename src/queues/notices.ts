/** Pub/sub: wake-ups that may be lost without harm, because stored state decides. */
import type { Redis } from 'ioredis';
import { answersOf } from './answers.js';
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

/** Most often nobody listens, and asking once costs less than two messages a task. */
export async function publishTasks(
  client: Redis,
  notices: readonly { channel: typeof TASKS_NEW | typeof TASKS_COMPLETE; notice: TaskNotice }[],
): Promise<void> {
  const [listeners, patterns] = await Promise.all([
    client.pubsub('NUMSUB', TASKS_NEW, TASKS_COMPLETE),
    client.pubsub('NUMPAT'),
  ]);
  const isHeard = Number(patterns) > 0 || listeners.some((count) => Number(count) > 0);
  if (!isHeard) return;
  const pipeline = client.pipeline();
  for (const { channel, notice } of notices) pipeline.publish(channel, JSON.stringify(notice));
  await answersOf(pipeline);
}

/** Milliseconds that a cancelled goal stays marked in Redis: longer than any claim can be under way. */
const MARK = 7 * 24 * 3_600_000;

/** Marks the goal for workers that are about to begin, and tells those that run. */
export async function announceCancel(client: Redis, prefix: string, goal: string): Promise<void> {
  const commands = client
    .multi()
    .sadd(cancelledKey(prefix), goal)
    .pexpire(cancelledKey(prefix), MARK)
    .publish(cancelChannel(prefix), goal);
  await answersOf(commands);
}

/** Says that a job's data were changed: who began with the old ones begins again. */
const AGAIN = 'again:';

/** Marks jobs that nobody is to begin any more, and tells those that run them. */
export async function announceWithdrawn(
  client: Redis,
  prefix: string,
  jobs: readonly string[],
): Promise<void> {
  if (jobs.length === 0) return;
  const commands = client
    .multi()
    .sadd(cancelledKey(prefix), ...jobs)
    .pexpire(cancelledKey(prefix), MARK);
  for (const job of jobs) commands.publish(cancelChannel(prefix), job);
  await answersOf(commands);
}

/** Lets whoever runs this job begin again. */
export async function announceAgain(client: Redis, prefix: string, job: string): Promise<void> {
  await client.publish(cancelChannel(prefix), AGAIN + job);
}

/** What running attempts are told. */
export interface CancelListener {
  /** A goal, or a job, is cancelled. */
  readonly onCancel: (id: string) => void;
  /** A job's data were changed. */
  readonly onAgain: (job: string) => void;
}

/** What is announced on `cancelChannel`, told apart. */
export const cancelListener =
  ({ onCancel, onAgain }: CancelListener) =>
  (message: string): void => {
    if (message.startsWith(AGAIN)) onAgain(message.slice(AGAIN.length));
    else onCancel(message);
  };

/** Calls `listeners` with each message on their channel from now on. */
export async function listen(
  subscriber: Redis,
  listeners: Readonly<Record<string, (message: string) => void>>,
): Promise<void> {
  subscriber.on('message', (channel, message) => listeners[channel]?.(message));
  await subscriber.subscribe(...Object.keys(listeners));
}
