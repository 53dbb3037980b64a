/** Reads goals from the log's file, beside a supervisor or without one. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LoggedEvent } from '../core/events.js';
import type { GoalView } from '../core/goal.js';
import { isGoalId, isTaskId } from '../core/ids.js';
import { DroverError } from '../core/errors.js';
import { noGoal, noTask } from '../engine/decisions/rule.js';
import { Log } from '../log/log.js';
import { loadGoal } from '../projections/board.js';
import { goalOfTask } from '../projections/goal-list.js';
import { type GoalReport, reportOf } from '../projections/report.js';
import type { Globals } from './globals.js';

/** Milliseconds between two looks at the log, which other processes write. */
const LOOK_EVERY = 150;

/** A goal that is watched: in this process or in another one. */
export interface WatchedGoal {
  readonly id: string;
  readonly report: () => GoalReport;
  /** Past events and new ones, until the goal is no longer open. */
  readonly events: () => AsyncIterable<LoggedEvent>;
}

/** Opens the log's file for one look. */
export function readLog<T>({ dataDir }: Pick<Globals, 'dataDir'>, read: (log: Log) => T): T {
  using log = Log.read(dataDir);
  return read(log);
}

/** @throws DroverError `not-found` */
export function readReport(log: Log, id: string): GoalReport {
  return reportOf(readGoalView(log, id));
}

/** @throws DroverError `not-found` */
export function readGoalView(log: Log, id: string): GoalView {
  // One transaction, so that goal and tasks are of one moment.
  const goal = log.db.transaction(() => loadGoal(log.db, id), { behavior: 'deferred' });
  if (!goal) throw noGoal(id);
  return goal;
}

/**
 * @param stop ends the waiting; the iteration then ends too
 * @param look is called at every look at the log; what it throws ends the iteration
 */
export function watchGoal(log: Log, id: string, stop: AbortSignal, look: () => void): WatchedGoal {
  const report = (): GoalReport => readReport(log, id);
  return {
    id,
    report,
    async *events() {
      let after = 0;
      while (!stop.aborted) {
        const { state } = report();
        for (const event of log.events({ goal: id, after })) {
          after = event.seq;
          yield event;
        }
        if (state !== 'OPEN') return;
        look();
        await pause(stop);
      }
    },
  };
}

/** New events as they are recorded, until `stop`. */
export async function* followLog(
  log: Log,
  subject: Subject,
  after: number,
  stop: AbortSignal,
): AsyncGenerator<LoggedEvent> {
  let seen = after;
  while (!stop.aborted) {
    const until = log.lastSeq();
    yield* eventsOf(log, subject, { after: seen, until });
    seen = until;
    await pause(stop);
  }
}

/** What is read about: a goal, a task of a goal, or everything. */
export interface Subject {
  readonly goal?: string;
  readonly task?: string;
}

/** The events of a task are also those on its goal that name it: that it begins again, or is given up. */
export function* eventsOf(
  log: Log,
  { goal, task }: Subject,
  range: { readonly after: number; readonly until: number },
): Generator<LoggedEvent> {
  if (goal === undefined || task === undefined) {
    yield* log.events({ ...(goal !== undefined && { goal }), ...range });
    return;
  }
  const types = ['tasks.reopened', 'tasks.cancelled'] as const;
  const naming = [...log.events({ goal, types, ...range })].filter(
    ({ event }) => 'tasks' in event && event.tasks.some((one) => one === task),
  );
  let next = 0;
  for (const event of log.events({ task, ...range })) {
    while (naming[next] && naming[next]!.seq < event.seq) yield naming[next++]!;
    yield event;
  }
  yield* naming.slice(next);
}

async function pause(stop: AbortSignal): Promise<void> {
  await delay(LOOK_EVERY, undefined, { signal: stop }).catch(() => undefined);
}

/**
 * What an id on the command line names.
 * @throws DroverError `bad-input` where it is no id, `not-found` where the log has none
 */
export function resolveId(log: Log, id: string): { goal: string; task?: string } {
  if (isGoalId(id)) {
    if (!loadGoal(log.db, id)) throw noGoal(id);
    return { goal: id };
  }
  if (!isTaskId(id)) {
    throw new DroverError(
      'bad-input',
      `‘${id}’ is no goal and no task.`,
      'Write an id such as goal-7 or task-123; `drover goals` lists them.',
    );
  }
  const goal = goalOfTask(log.db, id);
  if (goal === undefined) throw noTask(id);
  return { goal, task: id };
}
