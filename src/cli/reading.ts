/** Reads goals from the log's file, beside a supervisor or without one. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LoggedEvent } from '../core/events.js';
import type { GoalView } from '../core/goal.js';
import { isGoalId, isTaskId } from '../core/ids.js';
import { DroverError } from '../core/errors.js';
import { noGoal, noTask } from '../engine/decisions/rule.js';
import type { Log } from '../log/log.js';
import { loadGoal } from '../projections/board.js';
import { goalOfTask } from '../projections/goal-list.js';
import { type GoalReport, reportOf } from '../projections/report.js';

/** Milliseconds between two looks at the log, which other processes write. */
const LOOK_EVERY = 150;

/** A goal that is watched: in this process or in another one. */
export interface WatchedGoal {
  readonly id: string;
  readonly report: () => GoalReport;
  /** Past events and new ones, until the goal is no longer open. */
  readonly events: () => AsyncIterable<LoggedEvent>;
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
  filter: { readonly goal?: string; readonly task?: string },
  after: number,
  stop: AbortSignal,
): AsyncGenerator<LoggedEvent> {
  let seen = after;
  while (!stop.aborted) {
    for (const event of log.events({ ...filter, after: seen })) {
      seen = event.seq;
      yield event;
    }
    await pause(stop);
  }
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
