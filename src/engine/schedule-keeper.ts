/**
 * Keeps Redis firing the schedules that the log has. Whatever Redis lost, doubled or held back, what is due is
 * decided on the log (`decisions/schedule-fire.ts`).
 *
 * Invariants kept here: 1 (the job schedulers are rebuilt from the log alone), 2 (a firing is recorded with its goal
 * before that is submitted).
 */
import { asError } from '../core/errors.js';
import { listSchedules, loadSchedule, prepareSchedulesBehind } from '../projections/schedules.js';
import type { RedisClient } from '../queues/connection.js';
import { ScheduleQueue, startScheduleWorker } from '../queues/schedules.js';
import type { WorkerTiming } from '../queues/timing.js';
import type { Recording } from './recording/recording.js';

export interface KeeperOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly recording: Recording;
  readonly timing: WorkerTiming;
  /** Has what is due recorded and carried out. */
  readonly fire: (schedule: string, due?: number) => Promise<unknown>;
  readonly onError: (error: Error) => void;
}

export class ScheduleKeeper {
  private readonly queue: ScheduleQueue;
  private worker: { close: (force?: boolean) => Promise<void> } | undefined;

  private readonly behind;

  constructor(private readonly options: KeeperOptions) {
    this.behind = prepareSchedulesBehind(options.recording.log.db);
    this.queue = new ScheduleQueue(options.client, options.prefix);
  }

  /** Fires from now on, and decides on what was due meanwhile. */
  async start(): Promise<void> {
    const { client, prefix, fire, timing, onError } = this.options;
    await this.compare();
    const due = async (name: string, at: number): Promise<void> => void (await fire(name, at));
    this.worker = startScheduleWorker(client, prefix, due, timing, onError);
  }

  /** Brings Redis in step with the log, and makes up for what it did not fire. */
  async compare(): Promise<void> {
    const { recording, fire } = this.options;
    const known = listSchedules(recording.log.db);
    const wanted = new Set(known.filter(({ paused }) => !paused).map(({ name }) => name));
    for (const name of await this.queue.names()) {
      if (!wanted.has(name)) await this.queue.remove(name);
    }
    // First the times to come, then those that were: what is due in between is fired by both, and begins once.
    for (const schedule of known) if (wanted.has(schedule.name)) await this.put(schedule);
    for (const { name } of known) await fire(name);
  }

  /** Has Redis fire this one as the log says. */
  async follow(name: string): Promise<void> {
    const schedule = loadSchedule(this.options.recording.log.db, name);
    if (schedule && !schedule.paused) await this.put(schedule);
    else await this.queue.remove(name);
  }

  /** A goal has ended: a firing may have waited for it. */
  ended(goal: string): void {
    const { fire, onError } = this.options;
    for (const name of this.behind(goal)) {
      fire(name).catch((error: unknown) => onError(asError(error)));
    }
  }

  async close(force: boolean): Promise<void> {
    await this.worker?.close(force);
    await this.queue.close();
  }

  private async put({ name, cron, tz }: { name: string; cron: string; tz: string }): Promise<void> {
    await this.queue.put(name, { cron, tz });
  }
}
