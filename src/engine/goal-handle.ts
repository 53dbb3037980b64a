/** A goal in the hands of the code that enqueued it. */
import type { LoggedEvent } from '../core/events.js';
import { DroverError } from '../core/errors.js';
import type { GoalView } from '../core/goal.js';
import type { GoalState } from '../core/task-state.js';
import { Durations, type Kind, type Learned } from '../projections/durations.js';
import { type Estimate, estimate } from '../projections/estimate.js';
import { readLimits } from '../projections/limits.js';
import { listPauses } from '../projections/pauses.js';
import { type GoalReport, reportOf } from '../projections/report.js';
import { closedError } from './closed.js';
import type { Records } from './recording/recording.js';

export class GoalHandle {
  /** Out of sight of whoever prints a handle: what is behind it knows the address of Redis, with its password. */
  readonly #ledger: Records;
  /** Aborts when Drover is closed. */
  readonly #closed: AbortSignal;

  /** @internal */
  constructor(
    readonly id: string,
    ledger: Records,
    closed: AbortSignal,
  ) {
    this.#ledger = ledger;
    this.#closed = closed;
  }

  private get ledger(): Records {
    if (this.#ledger.isClosed) throw closedError();
    return this.#ledger;
  }

  /** The goal as it stands. */
  report(): GoalReport {
    return reportOf(this.view(), listPauses(this.ledger.log.db));
  }

  /** How far it is, and when it may end, from how long such tasks took before. Reads the log's newest rows. */
  estimate(): Estimate {
    const { log } = this.ledger;
    const { db } = log;
    const durations = new Durations(db);
    const learned = (kind: Kind): Learned | undefined => durations.learned(kind);
    return estimate(this.view(), {
      learned,
      pauses: listPauses(db),
      limits: readLimits(log),
      supervised: true,
      now: Date.now(),
    });
  }

  /** Resolves when nothing of the goal runs or can run: it is done, settled or cancelled. */
  async done(): Promise<GoalReport> {
    for (;;) {
      // The listener stands before the look: what is committed in between is not missed.
      const { promise, cancel } = this.nextChange((state) => state !== 'OPEN');
      if (!this.isOpen()) {
        cancel();
        return this.report();
      }
      await promise;
    }
  }

  /**
   * The goal's events from the first one on, and new ones as they are recorded; ends when the goal is no longer
   * open.
   * @param after sequence number behind which to begin, for a reader that goes on
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
        this.#closed.removeEventListener('abort', onClose);
      };
      if (this.#closed.aborted) onClose();
      else this.#closed.addEventListener('abort', onClose, { once: true });
    });
    // Nobody may be waiting when Drover closes.
    promise.catch(() => undefined);
    return { promise, cancel };
  }
}
