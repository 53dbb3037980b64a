/** Questions and changes to jobs by id, many at a time, in BullMQ's own terms. */
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { type Json, jsonSchema, type TaskSpec } from '../core/plan.js';
import { chunks } from './chunks.js';
import { type Finish, finisher } from './complete.js';
import type { JobOptions } from './flows.js';
import { jobKey, journalKey, metaKey } from './keys.js';
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

/** Jobs of a queue that are looked at in their order. */
const LINE = 1_000;

/** Field of a queue's own hash: whether Drover last paused it (1) or let it go on (0). */
const OWN_PAUSE = 'droverPaused';

const floorSchema = z.object({ floor: z.int() });

/** KEYS job; ARGV claims. */
const RAISE = `
if redis.call('EXISTS', KEYS[1]) == 1 and tonumber(redis.call('HGET', KEYS[1], 'ats') or '0') < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'ats', ARGV[1])
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

/** Milliseconds for which a queue that had workers is taken to have some. */
const STAFFED = 1_000;

/** Commands sent in one pipeline at most. */
const CHUNK = 1_000;

export class Jobs {
  private readonly queues = new Map<string, Queue>();
  /** When a queue was last seen to have workers, on the clock of `performance.now()`. */
  private readonly staffed = new Map<string, number>();
  /** Questions under way for a queue's workers. */
  private readonly asked = new Map<string, Promise<number>>();
  private readonly finish: Finish;
  private readonly rewrite;
  private readonly raise;
  private readonly move;

  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
  ) {
    this.finish = finisher(client);
    this.rewrite = defineScript(client, 'droverRewrite', 2, REWRITE);
    this.raise = defineScript(client, 'droverRaiseClaims', 1, RAISE);
    this.move = defineScript(client, 'droverMoveJob', 2, MOVE);
  }

  /** Whether Redis holds each job, in the same order. */
  async exist(refs: readonly JobRef[]): Promise<boolean[]> {
    const found: boolean[] = [];
    for (const chunk of chunks(refs, CHUNK)) {
      const pipeline = this.client.pipeline();
      for (const { queue, id } of chunk) pipeline.exists(jobKey(this.prefix, queue, id));
      const replies = (await pipeline.exec()) ?? [];
      found.push(...replies.map(([, count]) => count === 1));
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
      const replies = (await pipeline.exec()) ?? [];
      found.push(...replies.map(([, value]) => (value === null ? undefined : Number(value))));
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
      const answers = chunk.map(({ queue, id }) => this.queue(queue).getJobState(id));
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
    await this.finish.complete(this.queue(queue), [id], result);
  }

  /** Fails a job for good that the log knows to have failed; a worker that holds it is refused. */
  async fail({ queue, id }: JobRef, reason: string): Promise<void> {
    await this.finish.fail(this.queue(queue), [id], reason);
  }

  /** Completes a job that is withdrawn, whatever it waits for; its parent goes on with the result. */
  async settle({ queue, id }: JobRef, result: Json): Promise<void> {
    await this.finish.settle(this.queue(queue), id, result);
  }

  /** Fails a job that is withdrawn, whatever it waits for; its parent stays blocked. */
  async giveUp({ queue, id }: JobRef, reason: string): Promise<void> {
    await this.finish.giveUp(this.queue(queue), id, reason);
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

  /** Lets a job's next claim be numbered above `claims`, where Redis forgot some that the log knows. */
  async raiseClaims({ queue, id }: JobRef, claims: number): Promise<void> {
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
      await pipeline.exec();
    }
  }

  /**
   * Moves a failed job back into its queue with all its attempts; false where it had not failed.
   * @param released its dependents have gone on without it, so that they must not wait for it again: BullMQ
   *   would not let one complete that runs already
   */
  async retry({ queue, id }: JobRef, released: boolean): Promise<boolean> {
    const job = await this.queue(queue).getJob(id);
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
    return (await this.queue(queue).remove(id, { removeChildren: true })) === 1;
  }

  /** Removes a job alone; false where a worker holds it or it is gone. */
  async remove({ queue, id }: JobRef): Promise<boolean> {
    return (await this.queue(queue).remove(id, { removeChildren: false })) === 1;
  }

  async removeJournals(jobs: readonly string[]): Promise<void> {
    for (const chunk of chunks(jobs, CHUNK)) {
      await this.client.unlink(...chunk.map((job) => journalKey(this.prefix, job)));
    }
  }

  /** Writes finished steps from the log into journals that Redis lost; newer ones stay. */
  async restoreJournals(
    steps: readonly { job: string; step: string; result: Json }[],
  ): Promise<void> {
    for (const chunk of chunks(steps, CHUNK)) {
      const pipeline = this.client.pipeline();
      for (const { job, step, result } of chunk) {
        pipeline.hsetnx(journalKey(this.prefix, job), step, JSON.stringify(result));
      }
      await pipeline.exec();
    }
  }

  /** Lets workers take what waits in a queue, or not. */
  async setPaused(queue: string, paused: boolean): Promise<void> {
    const held = await this.queue(queue).isPaused();
    if (paused && !held) await this.queue(queue).pause();
    if (!paused && held) await this.queue(queue).resume();
    // Behind it: whoever is killed in between leaves what looks like somebody else's doing, and agrees with the log.
    await this.client.hset(metaKey(this.prefix, queue), OWN_PAUSE, Number(paused));
  }

  /** Whether somebody else has paused a queue (true) or let it go on (false); undefined where it is as Drover left it. */
  async switchedByOthers(queue: string): Promise<boolean | undefined> {
    const meta = metaKey(this.prefix, queue);
    const [paused, own] = await this.client.hmget(meta, 'paused', OWN_PAUSE);
    const isPaused = paused === '1';
    return isPaused === (own === '1') ? undefined : isPaused;
  }

  /** Lets those of the queues go on that somebody has paused. */
  async resume(queues: readonly string[]): Promise<void> {
    const pipeline = this.client.pipeline();
    for (const queue of queues) pipeline.hget(metaKey(this.prefix, queue), 'paused');
    const replies = (await pipeline.exec()) ?? [];
    for (const [index, [, paused]] of replies.entries()) {
      if (paused === '1') await this.queue(queues[index]!).resume();
    }
  }

  /** Workers on a queue, whoever runs them. */
  async workers(queue: string): Promise<number> {
    return this.queue(queue).getWorkersCount();
  }

  /** The jobs of a queue that are handed out first, in their order. */
  async line(queue: string): Promise<string[]> {
    // What has no priority goes before what has one; BullMQ takes it from the end.
    const [plain, ranked] = await Promise.all([
      this.client.lrange(jobKey(this.prefix, queue, 'wait'), -LINE, -1),
      this.client.zrange(jobKey(this.prefix, queue, 'prioritized'), 0, String(LINE - 1)),
    ]);
    return [...plain.toReversed(), ...ranked].slice(0, LINE);
  }

  /** Milliseconds until a queue's rate lets the next job begin; 0 where it does now. */
  async nextIn(queue: string): Promise<number> {
    const max = await this.client.hget(metaKey(this.prefix, queue), 'max');
    return max === null ? 0 : Math.max(0, await this.queue(queue).getRateLimitTtl(Number(max)));
  }

  /** Whether anybody works on a queue, or did within the last second: Redis lists all of its clients for that. */
  async hasWorkers(queue: string): Promise<boolean> {
    if (performance.now() - (this.staffed.get(queue) ?? -STAFFED) < STAFFED) return true;
    // Those who ask at once share one answer.
    const asked = this.asked.get(queue) ?? this.workers(queue);
    this.asked.set(queue, asked);
    try {
      if ((await asked) === 0) return false;
      this.staffed.set(queue, performance.now());
      return true;
    } finally {
      this.asked.delete(queue);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.queues.values()].map((queue) => queue.close()));
  }

  private queue(name: string): Queue {
    const known = this.queues.get(name);
    if (known) return known;
    const queue = openQueue(this.client, this.prefix, name);
    this.queues.set(name, queue);
    return queue;
  }
}

/** A queue to look at and to change jobs of; it leaves the queue's settings in Redis alone. */
export function openQueue(client: Redis, prefix: string, name: string): Queue {
  // Otherwise its first use would set the limit of the queue's stream back to 10,000 entries.
  const queue = new Queue(name, { connection: client, prefix, skipMetasUpdate: true });
  queue.on('error', () => undefined);
  return queue;
}
