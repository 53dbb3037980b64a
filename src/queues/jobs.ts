/** Questions and changes to jobs by id, many at a time, in BullMQ's own terms. */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { type Json, jsonSchema, type TaskSpec } from '../core/plan.js';
import { answersOf } from './answers.js';
import { chunks } from './chunks.js';
import { type Finish, finisher } from './complete.js';
import type { JobOptions } from './job-options.js';
import { jobKey, journalKey } from './keys.js';
import type { Queues } from './queues.js';
import { defineScript } from './script.js';

/** BullMQ's word for where a job is; `missing` where Redis does not hold it. */
export type JobState =
  | 'waiting'
  | 'prioritized'
  | 'delayed'
  | 'waiting-children'
  | 'active'
  | 'completed'
  | 'failed'
  | 'missing';

export interface JobRef {
  readonly queue: string;
  readonly id: string;
}

const floorSchema = z.object({ floor: z.int() });

/** KEYS job; ARGV claims. */
const RAISE = `
if redis.call('EXISTS', KEYS[1]) == 1 and tonumber(redis.call('HGET', KEYS[1], 'ats') or '0') < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'ats', ARGV[1])
end
`;

/** KEYS journal; ARGV step, its result, results that it has overtaken. */
const OVERTAKE = `
local there = redis.call('HGET', KEYS[1], ARGV[1])
for index = 3, #ARGV do
  if there == ARGV[index] then return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
end
`;

/** KEYS job, prioritized; ARGV id, priority. The lower half of a score is the order among equal priorities. */
const MOVE = `
if redis.call('EXISTS', KEYS[1]) == 0 then return end
redis.call('HSET', KEYS[1], 'priority', ARGV[2])
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
if score then
  redis.call('ZADD', KEYS[2], ARGV[2] * 0x100000000 + score % 0x100000000, ARGV[1])
end
`;

/** What changes about a job whose task was edited. */
export interface Edit {
  readonly name: string;
  readonly task: TaskSpec;
  readonly options: JobOptions;
  /** How often the task was edited. */
  readonly edits: number;
}

/** KEYS lock, job; ARGV data, options, name, edits. */
const REWRITE = `
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
redis.call('HSET', KEYS[2], 'data', ARGV[1], 'opts', ARGV[2], 'name', ARGV[3], 'edit', ARGV[4])
return redis.call('EXISTS', KEYS[1])
`;

/** Commands sent in one pipeline at most. */
const CHUNK = 1_000;

export class Jobs {
  private readonly finish: Finish;
  private readonly rewrite;
  private readonly raise;
  private readonly overtake;
  private readonly move;

  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
    private readonly queues: Queues,
  ) {
    this.finish = finisher(client);
    this.rewrite = defineScript(client, 'droverRewrite', 2, REWRITE);
    this.raise = defineScript(client, 'droverRaiseClaims', 1, RAISE);
    this.overtake = defineScript(client, 'droverOvertake', 1, OVERTAKE);
    this.move = defineScript(client, 'droverMoveJob', 2, MOVE);
  }

  /** Whether Redis holds each job, in the same order. */
  async exist(refs: readonly JobRef[]): Promise<boolean[]> {
    const found: boolean[] = [];
    for (const chunk of chunks(refs, CHUNK)) {
      const pipeline = this.client.pipeline();
      for (const { queue, id } of chunk) pipeline.exists(jobKey(this.prefix, queue, id));
      found.push(...(await answersOf(pipeline)).map((count) => count === 1));
    }
    return found;
  }

  /** Whether Redis holds any of the jobs. */
  async existsAny(refs: readonly JobRef[]): Promise<boolean> {
    for (const chunk of chunks(refs, CHUNK)) {
      const keys = chunk.map(({ queue, id }) => jobKey(this.prefix, queue, id));
      if ((await this.client.exists(...keys)) > 0) return true;
    }
    return false;
  }

  /** BullMQ's priority of each job, in the same order; undefined for jobs that Redis does not hold. */
  async priorities(refs: readonly JobRef[]): Promise<(number | undefined)[]> {
    const found: (number | undefined)[] = [];
    for (const chunk of chunks(refs, CHUNK)) {
      const pipeline = this.client.pipeline();
      for (const { queue, id } of chunk) {
        pipeline.hget(jobKey(this.prefix, queue, id), 'priority');
      }
      const values = await answersOf(pipeline);
      found.push(...values.map((value) => (value === null ? undefined : Number(value))));
    }
    return found;
  }

  /** Gives jobs other priorities, wherever they are; those that Redis does not hold are left out. */
  async reprioritise(moves: readonly (JobRef & { readonly priority: number })[]): Promise<void> {
    for (const chunk of chunks(moves, CHUNK)) {
      const moved = chunk.map(({ queue, id, priority }) =>
        this.move(
          jobKey(this.prefix, queue, id),
          jobKey(this.prefix, queue, 'prioritized'),
          id,
          priority,
        ),
      );
      await Promise.all(moved);
    }
  }

  async states(refs: readonly JobRef[]): Promise<JobState[]> {
    const states: JobState[] = [];
    for (const chunk of chunks(refs, CHUNK)) {
      const answers = chunk.map(({ queue, id }) => this.queues.open(queue).getJobState(id));
      for (const state of await Promise.all(answers)) {
        states.push(state === 'unknown' ? 'missing' : state);
      }
    }
    return states;
  }

  /** What a finished job came to, for states that the log has no event of. */
  async outcome({ queue, id }: JobRef): Promise<{ result: Json } | { failed: string } | undefined> {
    const [finished, result, reason] = await this.client.hmget(
      jobKey(this.prefix, queue, id),
      'finishedOn',
      'returnvalue',
      'failedReason',
    );
    if (!finished) return undefined;
    if (reason && result === null) return { failed: reason };
    return { result: jsonSchema.parse(JSON.parse(result ?? 'null')) };
  }

  /** Completes a job that the log knows to be done; a worker that holds it is refused when it finishes. */
  async complete({ queue, id }: JobRef, result: Json): Promise<void> {
    await this.finish.complete(this.queues.open(queue), [id], result);
  }

  /** Fails a job for good that the log knows to have failed; a worker that holds it is refused. */
  async fail({ queue, id }: JobRef, reason: string): Promise<void> {
    await this.finish.fail(this.queues.open(queue), [id], reason);
  }

  /** Completes a job that is withdrawn, whatever it waits for; its parent goes on with the result. */
  async settle({ queue, id }: JobRef, result: Json): Promise<void> {
    await this.finish.settle(this.queues.open(queue), id, result);
  }

  /** Fails a job that is withdrawn, whatever it waits for; its parent stays blocked. */
  async giveUp({ queue, id }: JobRef, reason: string): Promise<void> {
    await this.finish.giveUp(this.queues.open(queue), id, reason);
  }

  /**
   * Gives a job another text.
   * @returns true where a worker holds it, which has read the one before
   */
  async edit({ queue, id }: JobRef, { name, task, options, edits }: Edit): Promise<boolean> {
    const key = jobKey(this.prefix, queue, id);
    const [data, written, known] = await this.client.hmget(key, 'data', 'opts', 'edit');
    if (!data || !written || Number(known ?? 0) >= edits) return false;
    const { attempts, backoff } = options;
    const opts = { ...(JSON.parse(written) as object), attempts, backoff };
    const text = JSON.stringify({ ...(JSON.parse(data) as object), task });
    const held = await this.rewrite(
      `${key}:lock`,
      key,
      text,
      JSON.stringify(opts),
      name,
      String(edits),
    );
    return held === 1;
  }

  /** Lets each job's next claim be numbered above `claims`, where Redis forgot some that the log knows. */
  async raiseClaims(raised: readonly (JobRef & { readonly claims: number })[]): Promise<void> {
    for (const chunk of chunks(raised, CHUNK)) {
      await Promise.all(chunk.map(({ claims, ...ref }) => this.raiseClaimsOf(ref, claims)));
    }
  }

  private async raiseClaimsOf({ queue, id }: JobRef, claims: number): Promise<void> {
    const key = jobKey(this.prefix, queue, id);
    const data = await this.client.hget(key, 'data');
    if (data === null) return;
    const { floor } = floorSchema.parse(JSON.parse(data));
    await this.raise(key, claims - floor);
  }

  /** Hands jobs the results of children that Redis lost after the log had recorded them as done. */
  async supplyResults(
    results: readonly { parent: JobRef; child: JobRef; result: Json }[],
  ): Promise<void> {
    for (const chunk of chunks(results, CHUNK)) {
      const pipeline = this.client.pipeline();
      for (const { parent, child, result } of chunk) {
        pipeline.hsetnx(
          `${jobKey(this.prefix, parent.queue, parent.id)}:processed`,
          jobKey(this.prefix, child.queue, child.id),
          JSON.stringify(result),
        );
      }
      await answersOf(pipeline);
    }
  }

  /**
   * Moves a failed job back into its queue with all its attempts; false where it had not failed.
   * @param released its dependents have gone on without it, so that they must not wait for it again: BullMQ
   *   would not let one complete that runs already
   */
  async retry({ queue, id }: JobRef, released: boolean): Promise<boolean> {
    const job = await this.queues.open(queue).getJob(id);
    const state = await job?.getState();
    // Completed, and failed for Drover, is a job whose worker did not run its check.
    if (!job || (state !== 'failed' && state !== 'completed')) return false;
    const parent = released || state === 'completed' ? ['parentKey', 'parent'] : [];
    await this.client.hdel(jobKey(this.prefix, queue, id), 'declines', ...parent);
    await job.retry(state, { resetAttemptsMade: true });
    return true;
  }

  /** Removes a job nobody works on, with everything below it; false where a worker holds one of them. */
  async removeTree({ queue, id }: JobRef): Promise<boolean> {
    return (await this.queues.open(queue).remove(id, { removeChildren: true })) === 1;
  }

  /** Removes a job alone; false where a worker holds it or it is gone. */
  async remove({ queue, id }: JobRef): Promise<boolean> {
    return (await this.queues.open(queue).remove(id, { removeChildren: false })) === 1;
  }

  async removeJournals(jobs: readonly string[]): Promise<void> {
    for (const chunk of chunks(jobs, CHUNK)) {
      await this.client.unlink(...chunk.map((job) => journalKey(this.prefix, job)));
    }
  }

  /**
   * Writes finished steps from the log into journals that Redis lost; newer ones stay, and results that the log knows as
   * overtaken do not.
   */
  async restoreJournals(
    steps: readonly { job: string; step: string; result: Json; overtaken: readonly Json[] }[],
  ): Promise<void> {
    for (const chunk of chunks(steps, CHUNK)) {
      const pipeline = this.client.pipeline();
      for (const { job, step, result } of chunk) {
        pipeline.hsetnx(journalKey(this.prefix, job), step, JSON.stringify(result));
      }
      await answersOf(pipeline);
      for (const { job, step, result, overtaken } of chunk) {
        const [text, ...others] = [result, ...overtaken].map((one) => JSON.stringify(one));
        if (others.length > 0)
          await this.overtake(journalKey(this.prefix, job), step, text!, others);
      }
    }
  }
}
