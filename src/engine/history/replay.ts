/** History: a goal's or a task's events told again, and the state they had led to at any moment. */
import { DroverError } from '../../core/errors.js';
import type { LoggedEvent } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import type { Log } from '../../log/log.js';
import { goalOfTask } from '../../projections/goal-list.js';
import { type GoalReport, reportOf } from '../../projections/report.js';
import { noGoal, noTask } from '../decisions/rule.js';
import { GoalFold, type Move } from './goal-fold.js';
import { type TaskHistory, TaskHistories } from './task-history.js';

export interface ReplayTarget {
  /** Exactly one of the two. */
  readonly goal?: string | undefined;
  readonly task?: string | undefined;
  readonly at?: Moment | undefined;
}

/** A place in the history; the last event of the goal where neither is given. */
export interface Moment {
  /** Up to and including this sequence number. */
  readonly seq?: number | undefined;
  /** Up to the last event before anything that is later than this, epoch milliseconds. */
  readonly time?: number | undefined;
}

export interface HistoryEntry extends LoggedEvent {
  /** Milliseconds since the goal was created. */
  readonly after: number;
  /** The states of the event's task before it and after it; undefined where it has none. */
  readonly move: Move | undefined;
}

export interface Replay {
  readonly goal: string;
  readonly task: string | null;
  /** The last event that was told. */
  readonly seq: number;
  readonly time: number;
  /** The whole goal as it stood then. */
  readonly view: GoalReport;
  /** The events; where one task was asked for, its own and those on its goal that changed it. */
  readonly history: readonly HistoryEntry[];
  /** What became of each task, in the plan's order; of the one task where it was asked for. */
  readonly tasks: readonly TaskHistory[];
}

/** @throws DroverError `not-found` where there is no such goal or task, or was none at that moment. */
export function replay(log: Log, target: ReplayTarget): Replay {
  const id = target.goal ?? goalOf(log, target.task);
  const { seq } = target.at ?? {};
  return replayEvents(log.events({ goal: id, ...(seq !== undefined && { until: seq }) }), {
    ...target,
    goal: id,
  });
}

/**
 * The same over events that are at hand. Pure.
 * @param events of one goal, from its first one on
 */
export function replayEvents(
  events: Iterable<LoggedEvent>,
  { goal: id, task, at = {} }: ReplayTarget & { readonly goal: string },
): Replay {
  const until = at.seq ?? Number.POSITIVE_INFINITY;
  const untilTime = at.time ?? Number.POSITIVE_INFINITY;
  const fold = new GoalFold();
  let goal: GoalView | undefined;
  let last: LoggedEvent | undefined;
  const history: HistoryEntry[] = [];
  const histories = new TaskHistories();
  for (const entry of events) {
    if (entry.seq > until || entry.time > untilTime) break;
    const folded = fold.fold(entry);
    if (!folded) break;
    ({ goal } = folded);
    histories.follow(goal, entry, folded.touched);
    last = entry;
    // What was done to a goal as a whole (planned, signalled, begun again) is told of the tasks that it changed.
    const ofGoal = entry.task === undefined && task !== undefined && folded.touched.has(task);
    if (task !== undefined && entry.task !== task && !ofGoal) continue;
    history.push({ ...entry, after: entry.time - goal.createdAt, move: folded.move });
  }
  if (!goal || !last) throw tooEarly(id, at);
  if (task !== undefined && !goal.tasks.has(task)) throw tooEarly(task, at);
  const shown = task === undefined ? [...goal.tasks.keys()] : [task];
  return {
    goal: id,
    task: task ?? null,
    seq: last.seq,
    time: last.time,
    view: reportOf(goal),
    history,
    tasks: shown.map((one) => histories.of(one)),
  };
}

function goalOf(log: Log, task: string | undefined): string {
  if (task === undefined) {
    throw new DroverError(
      'bad-input',
      'A replay needs a goal or a task.',
      'Name one: `goal-7` or `task-123`.',
    );
  }
  const goal = goalOfTask(log.db, task);
  if (goal === undefined) throw noTask(task);
  return goal;
}

function tooEarly(id: string, { seq, time }: Moment): DroverError {
  if (seq === undefined && time === undefined) return noGoal(id);
  const when = seq === undefined ? new Date(time!).toISOString() : `event ${seq}`;
  return new DroverError(
    'not-found',
    `At ${when} there was no ${id} yet.`,
    `Choose a later moment; \`drover replay ${id}\` lists all events.`,
  );
}
