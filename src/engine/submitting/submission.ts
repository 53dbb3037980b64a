/**
 * Submits what Redis lacks of a goal: here where it is little, in a thread of its own where it is much. Compiling and
 * sending 10,000 tasks takes more than a second: too long for the locks, relays and requests that the main thread
 * looks after. For the same reason goals that come together are submitted a few at a time: between them agents go on
 * with what is there. Those few share a script.
 *
 * Invariants kept here: 2 (whichever way, a submission may be repeated, and nothing of a plan begins before all of it
 * is there).
 */
import { Worker } from 'node:worker_threads';
import { compile } from '../../compile/compile.js';
import type { GoalView } from '../../core/goal.js';
import type { RedisClient } from '../../queues/connection.js';
import { portableSource, type RedisSource } from '../../queues/redis-source.js';
import { Flows, type JobTree } from '../../queues/flows.js';
import type { SubmissionData } from './submission-thread.js';

export interface SubmissionOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly dataDir: string;
  readonly redis: RedisSource;
}

/** What Redis lacks of a goal, until it is submitted. */
interface Waiting {
  readonly trees: readonly JobTree[];
  readonly tasks: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Tasks of several goals from which on no more are submitted in one script. */
const AT_ONCE = 100;

/** Tasks from which on a thread is worth its start, which takes about as long as submitting so many. */
const MANY = 500;

/** Source files are run by the tests only, which have built the project: a thread cannot load TypeScript. */
const THREAD = new URL(
  import.meta.url.endsWith('.ts')
    ? '../../../dist/engine/submitting/submission-thread.js'
    : './submission-thread.js',
  import.meta.url,
);

export class Submission {
  private readonly flows: Flows;
  private readonly waiting: Waiting[] = [];
  /** One after the other: two plans at once would only share the processor. */
  private last: Promise<unknown> = Promise.resolve();
  private worker: Worker | undefined;
  private closed = false;

  constructor(private readonly options: SubmissionOptions) {
    this.flows = new Flows(options.client, options.prefix);
  }

  /**
   * @param missing ids of the tasks that Redis does not hold
   * @param priorities BullMQ's, of the missing tasks by id
   * @param withRoot true where Redis lacks the goal's own job as well
   */
  async submit(
    goal: GoalView,
    missing: ReadonlySet<string>,
    priorities: ReadonlyMap<string, number>,
    withRoot: boolean,
  ): Promise<void> {
    if (missing.size < MANY) {
      await this.together(compile(goal, missing, priorities, withRoot), missing.size);
      return;
    }
    const { dataDir, prefix, redis } = this.options;
    const data = { goal: goal.id, missing, priorities, withRoot, dataDir, prefix };
    const run = (): Promise<void> => this.run({ ...data, redis: portableSource(redis) });
    const submitted = this.last.then(run, run);
    this.last = submitted;
    await submitted;
  }

  /** What is under way is given up: the next start submits it. */
  async close(): Promise<void> {
    this.closed = true;
    await this.worker?.terminate();
  }

  private together(trees: readonly JobTree[], tasks: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ trees, tasks, resolve, reject });
      if (this.waiting.length === 1) setImmediate(() => this.submitNext());
    });
  }

  private submitNext(): void {
    const batch: Waiting[] = [];
    for (let tasks = 0; tasks < AT_ONCE && this.waiting.length > 0;) {
      const next = this.waiting.shift()!;
      tasks += next.tasks;
      batch.push(next);
    }
    if (this.waiting.length > 0) setImmediate(() => this.submitNext());
    void this.submitBatch(batch);
  }

  private async submitBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.flows.submit(batch.flatMap(({ trees }) => trees));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      // What Redis refuses of one goal keeps no other from it.
      if (batch.length === 1) batch[0]!.reject(error);
      else for (const one of batch) void this.submitBatch([one]);
    }
  }

  private run(workerData: SubmissionData): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (code: number): void => {
        if (code === 0) resolve();
        else
          reject(
            new Error(
              `The thread that submits ${workerData.goal} has ended (exit code ${code}); it is submitted again.`,
            ),
          );
      };
      if (this.closed) return end(1);
      this.worker = new Worker(THREAD, { workerData });
      this.worker.on('error', reject);
      this.worker.on('exit', end);
    });
  }
}
