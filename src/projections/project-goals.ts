/** The goals that a project's STATE.yaml shows, as their stored rows tell. */
import { and, count, desc, eq, inArray } from 'drizzle-orm';
import { TASK_STATES, type TaskState } from '../core/task-state.js';
import type { Database } from '../log/database.js';
import { goals, tasks } from '../log/schema.js';
import { loadGoal } from './board.js';
import {
  describeGoal,
  type GoalEntry,
  isoTime,
  progressOf,
  summariseGoal,
} from './state-schema.js';
import { oneLine } from './one-line.js';

/** Finished goals that are shown with their tasks, and those that are shown at all. */
export const SHOWN_FULL = 10;
export const SHOWN = 110;

/** Every project that has a goal. */
export function projectsOf(db: Database): string[] {
  const rows = db
    .selectDistinct({ project: goals.project })
    .from(goals)
    .orderBy(goals.project)
    .all();
  return rows.map(({ project }) => project);
}

/** Ids of the project's goals that are not finished. */
export function openGoalsOf(db: Database, project: string): string[] {
  const where = and(eq(goals.project, project), inArray(goals.state, ['OPEN', 'SETTLED']));
  return db
    .select({ id: goals.id })
    .from(goals)
    .where(where)
    .all()
    .map(({ id }) => id);
}

/** The project's finished goals that are shown, the one that finished last first. */
export function finishedGoalsOf(db: Database, project: string): Map<string, GoalEntry> {
  const rows = db
    .select()
    .from(goals)
    .where(and(eq(goals.project, project), inArray(goals.state, ['DONE', 'CANCELLED'])))
    .orderBy(desc(goals.finishedAt), desc(goals.number))
    .limit(SHOWN)
    .all();
  const counted = countsOf(
    db,
    rows.slice(SHOWN_FULL).map(({ id }) => id),
  );
  const entries = rows.map((row, index): [string, GoalEntry] => {
    if (index < SHOWN_FULL) return [row.id, describeGoal(loadGoal(db, row.id)!)];
    const counts = counted.get(row.id);
    const total = Object.values(counts ?? {}).reduce((sum, number) => sum + number, 0);
    const entry: GoalEntry = {
      title: oneLine(row.title),
      state: row.state,
      created: isoTime(row.createdAt),
      ...(row.finishedAt !== null && { finished: isoTime(row.finishedAt) }),
      // Nothing is blocked in a goal that is done or cancelled.
      ...(counts && { progress: progressOf(counts, total, 0) }),
    };
    return [row.id, summariseGoal(entry)];
  });
  return new Map(entries);
}

/** How many tasks are in each state, for goals that have tasks. */
function countsOf(db: Database, ids: readonly string[]): Map<string, Record<TaskState, number>> {
  const rows = db
    .select({ goal: tasks.goal, state: tasks.state, tasks: count() })
    .from(tasks)
    .where(inArray(tasks.goal, [...ids]))
    .groupBy(tasks.goal, tasks.state)
    .all();
  const counts = new Map<string, Record<TaskState, number>>();
  for (const row of rows) {
    const zero = Object.fromEntries(TASK_STATES.map((state) => [state, 0]));
    const own = counts.get(row.goal) ?? (zero as Record<TaskState, number>);
    own[row.state] = row.tasks;
    counts.set(row.goal, own);
  }
  return counts;
}
