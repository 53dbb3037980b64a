/**
 * The engine's queue `schedules`: BullMQ's job schedulers say when a schedule is due. What happens then is decided
 * on the log, so a job that is lost, repeated or promoted by hand does no harm.
 */
import { type Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { CronTime } from './cron.js';
import type { WorkerTiming } from './timing.js';

/** Seconds that past firings stay in Redis, where Bull Board shows them. */
const KEEP = 86_400;

export class ScheduleQueue {
  private readonly queue: Queue;

  constructor(client: Redis, prefix: string) {
    this.queue = new Queue('schedules', { connection: client, prefix });
    this.queue.on('error', () => undefined);
  }

  /** Has the schedule fire from now on; one that is there already gets these times. */
  async put(name: string, { cron, tz }: CronTime): Promise<void> {
    await this.queue.upsertJobScheduler(
      name,
      { pattern: cron, tz },
      {
        name,
        opts: {
          // What is due may have to wait, for a disk that is full.
          attempts: 1_000,
          backoff: { type: 'fixed', delay: 1_000 },
          removeOnComplete: { age: KEEP },
          removeOnFail: { age: KEEP },
        },
      },
    );
  }

  async remove(name: string): Promise<void> {
    await this.queue.removeJobScheduler(name);
  }

  /** Names of all schedules that Redis would fire. */
  async names(): Promise<string[]> {
    return (await this.queue.getJobSchedulers()).map(({ key }) => key);
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}

/** @param fire is called when a schedule is due, with its name and the time, epoch milliseconds */
export function startScheduleWorker(
  client: Redis,
  prefix: string,
  fire: (name: string, due: number) => Promise<void>,
  timing: WorkerTiming,
  onError: (error: Error) => void,
): { close: (force?: boolean) => Promise<void> } {
  const worker = new Worker(
    'schedules',
    async (job: Job) => {
      await fire(job.name, job.opts.prevMillis ?? Date.now());
      return null;
    },
    { connection: client, prefix, ...timing, maxStalledCount: 1_000, runRetryDelay: 500 },
  );
  worker.on('error', onError);
  return { close: (force = false) => worker.close(force) };
}
