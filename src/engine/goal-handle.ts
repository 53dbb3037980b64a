/** A goal in the hands of the code that enqueued it. */
import { loadResult } from '../agents/results.js';
import type { LoggedEvent } from '../core/events.js';
import { DroverError } from '../core/errors.js';
import type { GoalView, TaskView } from '../core/goal.js';
import type { Json } from '../core/plan.js';
import { type GoalState, isFinal } from '../core/task-state.js';
import { Durations, type Kind, type Learned } from '../projections/durations.js';
import { agentsOf, aroundOf, NOTHING_AROUND, type QueuesNow } from '../projections/around.js';
import { type Estimate, estimate } from '../projections/estimate.js';
import { readLimits } from '../projections/limits.js';
import { listPauses } from '../projections/pauses.js';
import { type GoalReport, reportOf } from '../projections/report.js';
import { closedError } from './closed.js';
import { noTask } from './decisions/rule.js';
import type { Records } from './recording/recording.js';

/** @internal */
export interface GoalSources {
  readonly ledger: Records;
  /** How the queues of these capabilities stand. */
  readonly survey: (capabilities: readonly string[]) => Promise<QueuesNow>;
  /** Directory of large results. */
  readonly results: string;
  /** Aborts when Drover is closed. */
  readonly closed: AbortSignal;
}

/** A goal, as `drover.enqueue` and `drover.goal` give it. Closed with its Drover: then all of it throws `conflict`. */
export class GoalHandle {
  /** Out of sight of whoever prints a handle: what is behind it knows the address of Redis, with its password. */
  readonly #sources: GoalSources;

  /** @internal */
  constructor(
    /** Such as `goal-7`. */
    readonly id: string,
    sources: GoalSources,
  ) {
    this.#sources = sources;
  }

  private get ledger(): Records {
    const { ledger } = this.#sources;
    if (ledger.isClosed) throw closedError();
    return ledger;
  }

  /**
   * The goal as it stands, with what each pending task waits for (`waits`), as `drover status` tells it. Asks Redis who
   * works on the queues of pending tasks; while Redis is away that alone is left out.
   */
  async report(): Promise<GoalReport> {
    const goal = this.view();
    const queues = await this.survey(goal, ({ state }) => state === 'PENDING');
    const { log } = this.ledger;
    const pauses = listPauses(log.db);
    // Where nothing is pending, as at the end, nothing of others is read.
    const around = queues?.size === 0 ? NOTHING_AROUND : aroundOf(log, pauses, queues);
    return reportOf(goal, pauses, around);
  }

  /**
   * What a task's agent returned, read from its file where it is above 64 KiB of JSON; null until the task is done.
   * @param task its id, as in `report()`
   * @throws DroverError `not-found` where the goal has no such task, or the file is in no directory that this process can read
   */
  async result(task: string): Promise<Json> {
    const found = this.view().tasks.get(task);
    if (!found) throw noTask(task);
    return await loadResult(found.result, this.#sources.results);
  }

  /**
   * How far it is, and when it may end, from how long such tasks took before, and from how many agents there are. Reads
   * the log's newest rows and asks Redis.
   */
  async estimate(): Promise<Estimate> {
    const goal = this.view();
    const agents = agentsOf(await this.survey(goal, ({ state }) => !isFinal(state)));
    const { log } = this.ledger;
    const { db } = log;
    const durations = new Durations(db);
    const learned = (kind: Kind): Learned | undefined => durations.learned(kind);
    return estimate(goal, {
      learned,
      agents,
      pauses: listPauses(db),
      limits: readLimits(log),
      supervised: true,
      now: Date.now(),
    });
  }

  /**
   * Resolves when nothing of the goal runs or can run: it is done, settled or cancelled.
   * @throws DroverError `no-supervisor` where Drover is closed meanwhile
   */
  async done(): Promise<GoalReport> {
    for (;;) {
      // The listener stands before the look: what is committed in between is not missed.
      const { promise, cancel } = this.nextChange((state) => state !== 'OPEN');
      if (!this.isOpen()) {
        cancel();
        return await this.report();
      }
      await promise;
    }
  }

  /**
   * The goal's events from the first one on, and new ones as they are recorded; ends when the goal is no longer
   * open.
   * @param options.after sequence number (`seq`) behind which to begin, for a reader that goes on
   */
  async *events({ after = 0 } = {}): AsyncGenerator<LoggedEvent> {
    let seen = after;
    for (;;) {
      const open = this.isOpen();
      // The listener stands before the log is read: what is committed in between is not missed.
      const { promise, cancel } = this.nextChange();
      try {
        for (const event of this.ledger.log.events({ goal: this.id, after: seen })) {
          seen = event.seq;
          yield event;
        }
        if (!open) return;
        if (this.isOpen()) await promise;
      } finally {
        cancel();
      }
    }
  }

  /** The queues that these tasks are in, or will be. */
  private async survey(
    { tasks }: GoalView,
    isWanted: (task: TaskView) => boolean,
  ): Promise<QueuesNow> {
    const wanted = [...tasks.values()].filter(isWanted);
    const capabilities = new Set(wanted.map(({ spec }) => spec.capability));
    return capabilities.size === 0 ? new Map() : await this.#sources.survey([...capabilities]);
  }

  private isOpen(): boolean {
    return this.ledger.board.state(this.id) === 'OPEN';
  }

  private view(): GoalView {
    return this.ledger.board.goal(this.id)!;
  }

  /** The next commit that changes the goal and leaves it in a state that is asked for. */
  private nextChange(wanted: (state: GoalState) => boolean = () => true): {
    promise: Promise<void>;
    cancel: () => void;
  } {
    const { closed } = this.#sources;
    let cancel = (): void => undefined;
    const promise = new Promise<void>((resolve, reject) => {
      const onClose = (): void =>
        reject(
          new DroverError(
            'no-supervisor',
            `Drover was closed before ${this.id} had ended; it goes on at the next start.`,
          ),
        );
      const stop = this.ledger.onCommit((changes) => {
        const change = changes.get(this.id);
        if (!change || !wanted(change.state)) return;
        cancel();
        resolve();
      });
      cancel = () => {
        stop();
        closed.removeEventListener('abort', onClose);
      };
      if (closed.aborted) onClose();
      else closed.addEventListener('abort', onClose, { once: true });
    });
    // Nobody may be waiting when Drover closes.
    promise.catch(() => undefined);
    return { promise, cancel };
  }
}
