/**
 * A goal's events folded one by one, with what each came to for its task. What BullMQ reports need not be what became
 * of a task: the job of a cancelled one is completed too, so that its dependents go on.
 */
import type { LoggedEvent } from '../../core/events.js';
import { evolve } from '../../core/evolve.js';
import { createGoal, type GoalView } from '../../core/goal.js';
import type { TaskState } from '../../core/task-state.js';
import type { Log } from '../../log/log.js';
import { endOfTask } from '../../projections/goal-list.js';

/** The state of an event's task before it and after it. */
export interface Move {
  readonly from: TaskState;
  readonly to: TaskState;
}

export interface Folded {
  readonly goal: GoalView;
  /** The tasks that the event changed. */
  readonly touched: ReadonlySet<string>;
  /** Of the event's own task; undefined where it has none. */
  readonly move: Move | undefined;
}

export class GoalFold {
  private goal: GoalView | undefined;

  /** @returns undefined before the goal's first event */
  fold(entry: LoggedEvent): Folded | undefined {
    const { event, task } = entry;
    if (event.type === 'goal.created') this.goal = createGoal({ ...entry, event });
    const { goal } = this;
    if (!goal) return undefined;
    const view = task === undefined ? undefined : goal.tasks.get(task);
    const from = view?.state;
    const touched = evolve(goal, entry);
    return { goal, touched, move: view && from && { from, to: view.state } };
  }
}

/** The moves behind a log's events, for a reader that meets them in their order and need not see all of them. */
export class Moves {
  private readonly folds = new Map<string, { readonly fold: GoalFold; seq: number }>();

  constructor(private readonly log: Log) {}

  /** @returns the move behind the end of a job; undefined for other events, whose words are enough */
  of(entry: LoggedEvent): Move | undefined {
    const { event, task, goal, time, seq } = entry;
    if (task === undefined || !isEnd(event.type)) return undefined;
    const end = endOfTask(this.log.db, task);
    // By far the most, and nothing has to be folded to know it.
    if (event.type === 'task.completed' && end?.state === 'DONE' && end.finishedAt === time) {
      return { from: 'ACTIVE', to: 'DONE' };
    }
    const known = this.folds.get(goal) ?? { fold: new GoalFold(), seq: 0 };
    this.folds.set(goal, known);
    let move: Move | undefined;
    for (const one of this.log.events({ goal, after: known.seq, until: seq })) {
      move = known.fold.fold(one)?.move;
      known.seq = one.seq;
    }
    return move;
  }
}

const isEnd = (type: LoggedEvent['event']['type']): boolean =>
  type === 'task.completed' || type === 'task.failed';
