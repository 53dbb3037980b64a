/**
 * Submits what Redis lacks of a goal: here where it is little, in a thread of its own where it is much. BullMQ builds
 * all jobs of a flow in one go, which for 10,000 tasks takes seconds: too long for the locks, relays and
 * requests that the main thread looks after.
 *
 * Invariants kept here: 2 (whichever way, a submission is one transaction and may be repeated: a thread that
 * dies has submitted all of it or nothing).
 */
import { Worker } from 'node:worker_threads';
import { compile } from '../../compile/compile.js';
import type { GoalView } from '../../core/goal.js';
import { portableSource, type RedisClient, type RedisSource } from '../../queues/connection.js';
import { Flows } from '../../queues/flows.js';
import type { SubmissionData } from './submission-thread.js';

export interface SubmissionOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly dataDir: string;
  readonly redis: RedisSource;
}

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
      await this.flows.submit(compile(goal, missing, priorities, withRoot));
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
    await this.flows.close();
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
