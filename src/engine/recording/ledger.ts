/**
 * Joins the log with its projections: whatever is recorded goes through `commit`.
 *
 * Invariants kept here: 1 and 3 (events, cursors, a command's outcome and the projections change in one
 * transaction, or not at all), 6 (this is the only writer).
 */
import { asError, DroverError, messageOf } from '../../core/errors.js';
import type { Event, LoggedEvent, NewEvent } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import type { Json } from '../../core/plan.js';
import { scheduleOf } from '../../core/schedule.js';
import type { GoalState } from '../../core/task-state.js';
import type { Log } from '../../log/log.js';
import { Board, type Folded } from '../../projections/board.js';
import { foldSchedule } from '../../projections/schedules.js';
import { Durations } from '../../projections/durations.js';

export interface CommitOptions {
  readonly cursors?: ReadonlyMap<string, string>;
  /** The command that led to these events, with what it is answered. */
  readonly command?: { readonly id: string; readonly outcome: Json };
}

/** What one commit changed; handed to listeners after it is on disk. */
export interface Commit {
  readonly events: readonly LoggedEvent[];
  /** Goals by id, with the tasks that changed. */
  readonly changed: ReadonlyMap<
    string,
    { readonly goal: GoalView; readonly tasks: ReadonlySet<string> }
  >;
}

/** A commit that is being written. */
interface Pending {
  readonly events: LoggedEvent[];
  readonly changed: Map<string, { readonly goal: GoalView; readonly tasks: Set<string> }>;
}

export class Ledger {
  readonly board: Board;
  readonly durations: Durations;
  private pending: Pending | undefined;
  private readonly listeners = new Set<(commit: Commit) => void>();

  constructor(readonly log: Log) {
    this.board = new Board(log.db);
    this.durations = new Durations(log.db);
  }

  /**
   * @returns what was recorded, with what it caused
   * @throws DroverError `log-unwritable` where the disk refuses; nothing is recorded then.
   */
  commit(events: readonly NewEvent[], options: CommitOptions = {}): Pick<Commit, 'events'> {
    const { pending } = this;
    if (!pending) return this.together(() => this.commit(events, options));
    const before = pending.events.length;
    this.write(events, options, pending);
    return { events: pending.events.slice(before) };
  }

  /**
   * Makes one transaction of everything that `work` commits; listeners hear of it as one commit. What a commit
   * throws must get through `work`.
   * @throws DroverError `log-unwritable` where the disk refuses, and whatever `work` throws; nothing is recorded then.
   */
  together<T>(work: () => T): T {
    const pending: Pending = { events: [], changed: new Map() };
    this.pending = pending;
    let result: T;
    try {
      result = this.log.transaction(work);
    } catch (error) {
      this.board.reset();
      throw explain(error);
    } finally {
      this.pending = undefined;
    }
    this.board.committed();
    if (pending.events.length > 0) for (const listener of this.listeners) tell(listener, pending);
    return result;
  }

  /** Calls `listener` after each commit that recorded something; returns how to stop that. */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private learn(goal: GoalView, task: string): void {
    const view = goal.tasks.get(task);
    if (view?.state === 'DONE') this.durations.learn(goal, view);
  }

  private write(
    events: readonly NewEvent[],
    { cursors, command }: CommitOptions,
    pending: Pending,
  ): void {
    for (const entry of events) this.record(entry, pending);
    // Also where more is to come: what is decided next in this transaction looks at the rows.
    this.board.store();
    for (const [queue, entry] of cursors ?? []) this.log.moveCursor(queue, entry);
    if (command) this.log.recordOutcome(command.id, command.outcome);
  }

  private record(entry: NewEvent, { events, changed }: Pending): void {
    events.push(this.log.append(entry));
    if (scheduleOf(entry.goal) !== undefined) {
      foldSchedule(this.log.db, entry);
      return;
    }
    const folded = this.board.fold(entry);
    if (!folded) return;
    const { goal, touched } = folded;
    if (entry.event.type === 'task.completed') this.learn(goal, entry.task!);
    const known = changed.get(goal.id) ?? { goal, tasks: new Set<string>() };
    for (const task of touched) known.tasks.add(task);
    changed.set(goal.id, known);
    const consequence = consequenceOf(folded);
    if (!consequence) return;
    const { time, project } = entry;
    const caused: NewEvent = { time, project, goal: goal.id, event: consequence };
    events.push(this.log.append(caused));
    this.board.fold(caused);
  }
}

/**
 * What a listener throws is its own trouble. Thrown on, it would tell the recorder that the batch was not
 * recorded, which would read and record it again, and be refused, for ever.
 */
function tell(listener: (commit: Commit) => void, commit: Commit): void {
  try {
    listener(commit);
  } catch (error) {
    process.emitWarning(asError(error));
  }
}

const CONSEQUENCES: Record<GoalState, Event | undefined> = {
  OPEN: { type: 'goal.reopened' },
  SETTLED: { type: 'goal.settled' },
  DONE: { type: 'goal.completed' },
  // Somebody asked for it, so the event is there already.
  CANCELLED: undefined,
};

function consequenceOf({ goal, before }: Folded): Event | undefined {
  return before === undefined || before === goal.state ? undefined : CONSEQUENCES[goal.state];
}

function explain(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/SQLITE_(FULL|IOERR|READONLY|CANTOPEN)/.test(code)) return error;
  return new DroverError(
    'log-unwritable',
    `The log cannot be written: ${messageOf(error)} (${code}).`,
    'Make room on the disk, or give this user access to the data directory; recording goes on by itself.',
    { cause: error },
  );
}
