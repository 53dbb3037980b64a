/**
 * Completes jobs that nobody works on: gates when they open, and tasks of which the log knows the result
 * although Redis lost it.
 */
import { Job, type Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Json } from '../core/plan.js';
import { defineScript } from './script.js';

/** KEYS delayed, waiting, prioritized, active; ARGV jobs. Takes them out of whatever set they wait in. */
const TAKE = `
for _, job in ipairs(ARGV) do
  if redis.call('ZREM', KEYS[1], job) == 1 or redis.call('LREM', KEYS[2], 1, job) == 1
    or redis.call('ZREM', KEYS[3], job) == 1 then
    redis.call('LPUSH', KEYS[4], job)
  end
end
`;

/** A token that tells BullMQ's scripts to skip the lock. */
const NO_LOCK = '0';

export type Complete = (queue: Queue, jobs: readonly string[], result: Json) => Promise<void>;

/**
 * The returned function completes jobs with a result; those that are finished or gone stay as they are. One
 * round trip: BullMQ's script is sent behind ours on the same connection. If this process ends in between, a
 * job is active without a lock, which BullMQ calls stalled and hands to a worker.
 */
export function completer(client: Redis): Complete {
  const take = defineScript(client, 'droverTake', 4, TAKE);
  return async (queue, jobs, result) => {
    if (jobs.length === 0) return;
    await queue.waitUntilReady();
    const { delayed, wait, prioritized, active } = queue.keys;
    const taken = take(delayed!, wait!, prioritized!, active!, ...jobs);
    const completed = jobs.map(async (id) => {
      await new Job(queue, id, {}, {}, id).moveToCompleted(result, NO_LOCK, false);
    });
    await taken;
    for (const outcome of await Promise.allSettled(completed)) {
      if (outcome.status === 'rejected' && !isFinished(outcome.reason)) throw outcome.reason;
    }
  };
}

/** BullMQ's answers for a job that is gone (-1) or not active (-3). */
function isFinished(reason: unknown): boolean {
  const code = reason instanceof Error && 'code' in reason ? reason.code : undefined;
  return code === -1 || code === -3;
}
