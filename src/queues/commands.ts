/**
 * Commands from other processes reach the supervisor as jobs on the queue `commands`: durable while it is
 * down, carried out once, answered. A command's id makes a repeated one the same one.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { DelayedError, type Job, Queue, QueueEvents, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { type Answer, refusal, refusalSchema, unwrap } from '../core/answer.js';
import { DroverError, messageOf } from '../core/errors.js';
import { type Json, jsonSchema } from '../core/plan.js';
import { requestJson } from '../core/request.js';
import type { WorkerTiming } from './timing.js';

/** Seconds that answered commands stay in Redis, where Bull Board shows them. */
const KEEP = 3_600;

/** Milliseconds between two looks whether a command has been answered. */
const LOOK = 500;

/** Milliseconds to the next try after trouble. */
const AGAIN = 1_000;

const requestSchema = z.object({ by: z.string(), input: jsonSchema });

/** The answer travels as a result, so that a refused command is not retried. */
const answerSchema: z.ZodType<Answer<Json>> = z.union([
  z.object({ ok: jsonSchema }),
  z.object({ refused: refusalSchema }),
]);

export interface SendOptions {
  /** Makes a repeated command the same one; random unless given. */
  readonly id?: string;
  /** Milliseconds to wait for the answer, default 10,000; the command itself stays in its queue. */
  readonly timeout?: number;
}

export class CommandSender {
  private readonly queue: Queue;
  private events: QueueEvents | undefined;

  /** @param by who asks, for the log */
  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
    private readonly by: string,
  ) {
    this.queue = new Queue('commands', { connection: client, prefix });
    this.queue.on('error', () => undefined);
  }

  /**
   * Hands the command over and waits for its answer.
   * @param input anything that is JSON, 64 MiB at most
   * @throws DroverError `bad-input` or `too-large` for what is not; as the supervisor threw it; where nobody answers in time
   * `log-unwritable`, if the supervisor cannot record it, else `no-supervisor`
   */
  async send(name: string, input: object, options: SendOptions = {}): Promise<Json> {
    const { id = randomUUID(), timeout = 10_000 } = options;
    const request = requestJson(input);
    this.events ??= this.listen();
    await this.events.waitUntilReady();
    const job = await this.queue.add(
      name,
      { by: this.by, input: request },
      {
        jobId: id,
        attempts: 10,
        backoff: { type: 'fixed', delay: AGAIN },
        removeOnComplete: { age: KEEP },
        removeOnFail: { age: KEEP },
      },
    );
    return unwrap(answerSchema.parse(await this.answered(job, name, timeout)));
  }

  async close(): Promise<void> {
    await this.events?.close();
    await this.queue.close();
  }

  private listen(): QueueEvents {
    const events = new QueueEvents('commands', { connection: this.client, prefix: this.prefix });
    events.on('error', () => undefined);
    return events;
  }

  private async answered(job: Job, name: string, timeout: number): Promise<unknown> {
    const end = Date.now() + timeout;
    for (;;) {
      const left = end - Date.now();
      try {
        // Each call begins with a look at the job: an event can be missed, the stored answer cannot.
        return await job.waitUntilFinished(this.events!, Math.max(1, Math.min(LOOK, left)));
      } catch (error) {
        if (!/timed out/.test(messageOf(error))) throw error;
        if (left > LOOK) continue;
        throw (await this.hindrance(job.id!, name)) ?? unanswered(name, timeout, error);
      }
    }
  }

  /** Why the supervisor has put the command aside, where it has. */
  private async hindrance(id: string, name: string): Promise<DroverError | undefined> {
    const job = await this.queue.getJob(id);
    const { data } = refusalSchema.safeParse(job?.progress);
    if (!data) return undefined;
    return new DroverError(
      data.code,
      `${data.message} The command ‘${name}’ stays in its queue and is carried out when that is over.`,
      data.remedy,
    );
  }
}

const unanswered = (name: string, timeout: number, cause: unknown): DroverError =>
  new DroverError(
    'no-supervisor',
    `Nobody has answered the command ‘${name}’ within ${timeout / 1_000} s; it stays in its queue.`,
    'A supervisor that is busy carries it out later: look with `drover status`. Where none runs, start it with `drover up`.',
    { cause },
  );

/** Runs the supervisor's side: `carryOut` is called for one command at a time. */
export function startCommandWorker(
  client: Redis,
  prefix: string,
  carryOut: (id: string, name: string, input: Json, by: string) => Promise<Answer<Json>>,
  timing: WorkerTiming,
  onError: (error: Error) => void,
): { close: (force?: boolean) => Promise<void> } {
  const worker = new Worker(
    'commands',
    async (job: Job, token?: string) => {
      const { by, input } = requestSchema.parse(job.data);
      try {
        return await carryOut(job.id!, job.name, input, by);
      } catch (error) {
        if (!(error instanceof DroverError) || error.code !== 'log-unwritable') throw error;
        // A full disk passes, after however long: the command keeps its attempts for other trouble. Who waits for it learns why.
        const { refused } = refusal(error);
        if (!isDeepStrictEqual(job.progress, refused)) await job.updateProgress(refused);
        await job.moveToDelayed(Date.now() + AGAIN, token);
        throw new DelayedError();
      }
    },
    {
      connection: client,
      prefix,
      ...timing,
      maxStalledCount: 1_000,
      runRetryDelay: 500,
    },
  );
  worker.on('error', onError);
  return { close: (force = false) => worker.close(force) };
}
