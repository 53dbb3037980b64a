/**
 * Finishes jobs that nobody works on: gates when they open, and tasks of which the log knows the outcome
 * although Redis lost it.
 */
import { Job, type Queue, UnrecoverableError } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Json } from '../core/plan.js';
import { defineScript } from './script.js';

/** Field of a job that was taken: the JSON text it is to be finished with, should somebody else have to. */
export const OUTCOME = 'outcome';

/**
 * KEYS delayed, waiting, prioritized, active, the queue's first part of keys; ARGV outcome, jobs. Takes them out
 * of whatever set they wait in, and leaves the outcome with them. Whoever holds one of them has lost it.
 */
const TAKE = `
for index = 2, #ARGV do
  local job = ARGV[index]
  if redis.call('ZREM', KEYS[1], job) == 1 or redis.call('LREM', KEYS[2], 1, job) == 1
    or redis.call('ZREM', KEYS[3], job) == 1 then
    redis.call('LPUSH', KEYS[4], job)
    redis.call('HSET', KEYS[5] .. job, '${OUTCOME}', ARGV[1])
  end
  redis.call('DEL', KEYS[5] .. job .. ':lock')
end
`;

/**
 * KEYS delayed, waiting, prioritized, active, waiting for children, failed, the queue's first part of keys; ARGV
 * outcome, job. Takes a job out of whatever state it is in, so that it can be finished; what it waits for is
 * forgotten. Whoever holds it has lost it.
 */
const SEIZE = `
local job = ARGV[2]
local key = KEYS[7] .. job
if redis.call('ZREM', KEYS[1], job) == 1 or redis.call('LREM', KEYS[2], 1, job) == 1
  or redis.call('ZREM', KEYS[3], job) == 1 or redis.call('ZREM', KEYS[5], job) == 1
  or redis.call('ZREM', KEYS[6], job) == 1 then
  redis.call('LPUSH', KEYS[4], job)
  redis.call('HSET', key, '${OUTCOME}', ARGV[1])
  redis.call('HDEL', key, 'failedReason', 'finishedOn')
end
redis.call('DEL', key .. ':lock', key .. ':dependencies')
`;

/**
 * KEYS as above, then the results of a relay's only child; ARGV jobs. Takes them with that result, and returns it.
 */
const TAKE_RESULT = `
local outcome = redis.call('HVALS', KEYS[6])[1] or 'null'
table.insert(ARGV, 1, outcome)
${TAKE}
return outcome
`;

/** A token that tells BullMQ's scripts to skip the lock. */
const NO_LOCK = '0';

/** A relay's result, known before its gates are open. */
export interface Relayed {
  readonly result: Json;
  readonly opened: Promise<void>;
}

export interface Finish {
  /** Completes jobs with the result of the only child whose results are under `processed`. */
  readonly relay: (queue: Queue, jobs: readonly string[], processed: string) => Promise<Relayed>;
  readonly complete: (queue: Queue, jobs: readonly string[], result: Json) => Promise<void>;
  readonly fail: (queue: Queue, jobs: readonly string[], reason: string) => Promise<void>;
  /** The same for one job in whatever state, also where its children are not finished or it had failed. */
  readonly settle: (queue: Queue, job: string, result: Json) => Promise<void>;
  readonly giveUp: (queue: Queue, job: string, reason: string) => Promise<void>;
}

/**
 * The returned functions finish jobs; those that are finished or gone stay as they are. One
 * round trip: BullMQ's script is sent behind ours on the same connection. If this process ends in between, a
 * job is active without a lock, which BullMQ calls stalled and hands to a worker.
 */
export function finisher(client: Redis): Finish {
  const take = defineScript(client, 'droverTake', 5, TAKE);
  const finish = async (
    queue: Queue,
    jobs: readonly string[],
    outcome: Json,
    move: (job: Job) => Promise<unknown>,
  ): Promise<void> => {
    if (jobs.length === 0) return;
    await queue.waitUntilReady();
    const { delayed, wait, prioritized, active } = queue.keys;
    const sets = [delayed!, wait!, prioritized!, active!];
    const taken = take(...sets, queue.toKey(''), JSON.stringify(outcome), ...jobs);
    const finished = moveAll(queue, jobs, move);
    await taken;
    await finished;
  };
  const takeResult = defineScript(client, 'droverTakeResult', 6, TAKE_RESULT);
  const seizeScript = defineScript(client, 'droverSeize', 7, SEIZE);
  const seize = async (
    queue: Queue,
    id: string,
    outcome: Json,
    move: (job: Job) => Promise<unknown>,
  ): Promise<void> => {
    await queue.waitUntilReady();
    const { delayed, wait, prioritized, active, 'waiting-children': children, failed } = queue.keys;
    const sets = [delayed!, wait!, prioritized!, active!, children!, failed!];
    const seized = seizeScript(...sets, queue.toKey(''), JSON.stringify(outcome), id);
    const [moved] = await Promise.allSettled([
      move(new Job(queue, id, {}, { attempts: 1 }, id)),
      seized,
    ]);
    await seized;
    if (moved.status === 'rejected' && !isFinished(moved.reason)) throw moved.reason;
  };
  return {
    async relay(queue, jobs, processed) {
      await queue.waitUntilReady();
      const { delayed, wait, prioritized, active } = queue.keys;
      const sets = [delayed!, wait!, prioritized!, active!];
      const outcome = await takeResult(...sets, queue.toKey(''), processed, ...jobs);
      const result = JSON.parse(String(outcome)) as Json;
      const opened = moveAll(queue, jobs, (job) => job.moveToCompleted(result, NO_LOCK, false));
      return { result, opened };
    },
    settle: (queue, job, result) =>
      seize(queue, job, result, (one) => one.moveToCompleted(result, NO_LOCK, false)),
    giveUp: (queue, job, reason) =>
      seize(queue, job, reason, (one) => one.moveToFailed(new UnrecoverableError(reason), NO_LOCK)),
    complete: (queue, jobs, result) =>
      finish(queue, jobs, result, (job) => job.moveToCompleted(result, NO_LOCK, false)),
    fail: (queue, jobs, reason) =>
      finish(queue, jobs, reason, (job) =>
        job.moveToFailed(new UnrecoverableError(reason), NO_LOCK),
      ),
  };
}

async function moveAll(
  queue: Queue,
  jobs: readonly string[],
  move: (job: Job) => Promise<unknown>,
): Promise<void> {
  const moves = jobs.map((id) => move(new Job(queue, id, {}, { attempts: 1 }, id)));
  for (const moved of await Promise.allSettled(moves)) {
    if (moved.status === 'rejected' && !isFinished(moved.reason)) throw moved.reason;
  }
}

/** BullMQ's answers for a job that is gone (-1) or not active (-3). */
function isFinished(reason: unknown): boolean {
  const code = reason instanceof Error && 'code' in reason ? reason.code : undefined;
  return code === -1 || code === -3;
}
