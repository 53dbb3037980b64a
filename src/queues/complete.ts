/**
 * Finishes jobs that nobody works on: gates when they open, and tasks of which the log knows the outcome
 * although Redis lost it.
 */
import { ErrorCode, Job, type Queue, UnrecoverableError } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Json } from '../core/plan.js';
import { AT_ONCE, COMPLETE_HELD, NO_LOCK } from './pass-on.js';
import { defineScript } from './script.js';

/** Field of a job that was taken: the JSON text it is to be finished with, should somebody else have to. */
export const OUTCOME = 'outcome';

/**
 * KEYS delayed, waiting, prioritized, active, the queue's first part of keys; ARGV outcome, time, jobs. Takes them out
 * of whatever set they wait in, and leaves the outcome with them. Whoever holds one of them has lost it.
 */
const TAKE = `
for index = 3, #ARGV do
  local job = ARGV[index]
  if redis.call('ZREM', KEYS[1], job) == 1 or redis.call('LREM', KEYS[2], 1, job) == 1
    or redis.call('ZREM', KEYS[3], job) == 1 then
    redis.call('LPUSH', KEYS[4], job)
    redis.call('HSET', KEYS[5] .. job, '${OUTCOME}', ARGV[1])
    redis.call('HSETNX', KEYS[5] .. job, 'processedOn', ARGV[2])
  end
  redis.call('DEL', KEYS[5] .. job .. ':lock')
end
`;

/**
 * KEYS delayed, waiting, prioritized, active, waiting for children, failed, the queue's first part of keys; ARGV
 * outcome, time, job. Takes a job out of whatever state it is in, so that it can be finished; what it waits for is
 * forgotten. Whoever holds it has lost it.
 */
const SEIZE = `
local job = ARGV[3]
local key = KEYS[7] .. job
if redis.call('ZREM', KEYS[1], job) == 1 or redis.call('LREM', KEYS[2], 1, job) == 1
  or redis.call('ZREM', KEYS[3], job) == 1 or redis.call('ZREM', KEYS[5], job) == 1
  or redis.call('ZREM', KEYS[6], job) == 1 then
  redis.call('LPUSH', KEYS[4], job)
  redis.call('HSET', key, '${OUTCOME}', ARGV[1])
  redis.call('HSETNX', key, 'processedOn', ARGV[2])
  redis.call('HDEL', key, 'failedReason', 'finishedOn')
end
redis.call('DEL', key .. ':lock', key .. ':dependencies')
`;

/**
 * KEYS the queue's first part of keys, results of a relay; ARGV time, outcome or nothing where it is that of the
 * relay's only child, jobs. Completes them from whatever set they wait in, and returns the outcome. Whoever holds one
 * of them has lost it; those that are finished or gone stay as they are.
 *
 * A gate each costs a tenth of what a command each does, and there is no moment in which a gate is taken and not
 * completed.
 */
const COMPLETE = `${COMPLETE_HELD}
local outcome = ARGV[2]
if outcome == '' then outcome = redis.call('HVALS', KEYS[2])[1] or 'null' end
for index = 3, #ARGV do
  local trouble = completeHeld(KEYS[1], ARGV[index], ARGV[1], outcome)
  if trouble then return redis.error_reply(trouble) end
end
return outcome
`;

export interface Finish {
  /** Completes jobs with the result of the only child whose results are under `processed`, and returns it. */
  readonly relay: (queue: Queue, jobs: readonly string[], processed: string) => Promise<Json>;
  readonly complete: (queue: Queue, jobs: readonly string[], result: Json) => Promise<void>;
  readonly fail: (queue: Queue, jobs: readonly string[], reason: string) => Promise<void>;
  /** The same for one job in whatever state, also where its children are not finished or it had failed. */
  readonly settle: (queue: Queue, job: string, result: Json) => Promise<void>;
  readonly giveUp: (queue: Queue, job: string, reason: string) => Promise<void>;
}

/**
 * The returned functions finish jobs; those that are finished or gone stay as they are. What fails or is seized takes
 * one round trip of two commands, BullMQ's script behind ours on the same connection: if this process ends in between,
 * a job is active without a lock, which BullMQ calls stalled and hands to a worker.
 */
export function finisher(client: Redis): Finish {
  const completeScript = defineScript(client, 'droverComplete', 2, COMPLETE);
  const complete = async (
    queue: Queue,
    jobs: readonly string[],
    outcome: string,
    processed: string,
  ): Promise<Json> => {
    const base = queue.toKey('');
    const answers: Promise<unknown>[] = [];
    for (let start = 0; start === 0 || start < jobs.length; start += AT_ONCE) {
      const part = jobs.slice(start, start + AT_ONCE);
      answers.push(completeScript(base, processed, Date.now(), outcome, ...part));
    }
    const [answer] = await Promise.all(answers);
    return JSON.parse(String(answer)) as Json;
  };
  const take = defineScript(client, 'droverTake', 5, TAKE);
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
    const seized = seizeScript(...sets, queue.toKey(''), JSON.stringify(outcome), Date.now(), id);
    const [moved] = await Promise.allSettled([
      move(new Job(queue, id, {}, { attempts: 1 }, id)),
      seized,
    ]);
    await seized;
    if (moved.status === 'rejected' && !isFinished(moved.reason)) throw moved.reason;
  };
  return {
    relay: (queue, jobs, processed) => complete(queue, jobs, '', processed),
    settle: (queue, job, result) =>
      seize(queue, job, result, (one) => one.moveToCompleted(result, NO_LOCK, false)),
    giveUp: (queue, job, reason) =>
      seize(queue, job, reason, (one) => one.moveToFailed(new UnrecoverableError(reason), NO_LOCK)),
    async complete(queue, jobs, result) {
      if (jobs.length > 0) await complete(queue, jobs, JSON.stringify(result), '');
    },
    async fail(queue, jobs, reason) {
      if (jobs.length === 0) return;
      await queue.waitUntilReady();
      const { delayed, wait, prioritized, active } = queue.keys;
      const sets = [delayed!, wait!, prioritized!, active!];
      const taken = take(...sets, queue.toKey(''), JSON.stringify(reason), Date.now(), ...jobs);
      const failed = moveAll(queue, jobs, (job) =>
        job.moveToFailed(new UnrecoverableError(reason), NO_LOCK),
      );
      await taken;
      await failed;
    },
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

function isFinished(reason: unknown): boolean {
  const code = reason instanceof Error && 'code' in reason ? reason.code : undefined;
  return code === ErrorCode.JobNotExist || code === ErrorCode.JobNotInState;
}
