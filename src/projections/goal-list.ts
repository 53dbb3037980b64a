/** Goals in short, for lists: counted by the database, so that a long history costs little. */
import { and, count, desc, eq, inArray } from 'drizzle-orm';
import type { Priority } from '../core/plan.js';
import { type GoalState, TASK_STATES, type TaskState } from '../core/task-state.js';
import type { Database } from '../log/database.js';
import { goals, tasks } from '../log/schema.js';
import { summaryOf } from './report.js';

export interface GoalSummary {
  readonly id: string;
  readonly title: string;
  readonly project: string;
  readonly priority: Priority;
  readonly key: string | null;
  readonly source: string | null;
  readonly by: string | null;
  readonly state: GoalState;
  readonly paused: boolean;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly finishedAt: number | null;
  readonly counts: Readonly<Record<TaskState, number>>;
  readonly total: number;
  /** One line for people: `Done! 10/10 tasks complete`. */
  readonly text: string;
}

export interface GoalFilter {
  readonly states?: readonly GoalState[];
  readonly project?: string;
  /** Whether their jobs have left Redis. */
  readonly evicted?: boolean;
  /** The newest so many; all unless given. */
  readonly limit?: number;
}

/** Goals, newest first. */
export function listGoals(
  db: Database,
  { states, project, evicted, limit }: GoalFilter = {},
): GoalSummary[] {
  const rows = db
    .select({
      id: goals.id,
      title: goals.title,
      project: goals.project,
      priority: goals.priority,
      key: goals.key,
      source: goals.source,
      by: goals.by,
      state: goals.state,
      paused: goals.paused,
      createdAt: goals.createdAt,
      finishedAt: goals.finishedAt,
    })
    .from(goals)
    .where(
      and(
        states && inArray(goals.state, [...states]),
        project === undefined ? undefined : eq(goals.project, project),
        evicted === undefined ? undefined : eq(goals.evicted, evicted),
      ),
    )
    .orderBy(desc(goals.number))
    // SQLite reads a negative limit as none.
    .limit(limit ?? -1)
    .all();
  return rows.map((row) => {
    const counts = countTasks(db, row.id);
    const total = Object.values(counts).reduce((sum, number) => sum + number, 0);
    // What a settled goal still has in its backlog is blocked.
    const blocked = row.state === 'SETTLED' ? counts.BACKLOG : 0;
    const text = summaryOf(
      { state: row.state, paused: row.paused, counts, tasks: { size: total } },
      blocked,
    );
    return { ...row, counts, total, text };
  });
}

/** The goal that was enqueued with this key, or undefined. */
export function goalByKey(db: Database, project: string, key: string): string | undefined {
  const where = and(eq(goals.project, project), eq(goals.key, key));
  return db.select({ id: goals.id }).from(goals).where(where).get()?.id;
}

/** The goal of a task, or undefined where there is no such task. */
export function goalOfTask(db: Database, task: string): string | undefined {
  return db.select({ goal: tasks.goal }).from(tasks).where(eq(tasks.id, task)).get()?.goal;
}

/** What became of a task, as it stands now. */
export function endOfTask(
  db: Database,
  task: string,
): { readonly state: TaskState; readonly finishedAt: number | null } | undefined {
  return db
    .select({ state: tasks.state, finishedAt: tasks.finishedAt })
    .from(tasks)
    .where(eq(tasks.id, task))
    .get();
}

function countTasks(db: Database, goal: string): Record<TaskState, number> {
  const rows = db
    .select({ state: tasks.state, tasks: count() })
    .from(tasks)
    .where(eq(tasks.goal, goal))
    .groupBy(tasks.state)
    .all();
  const found = new Map(rows.map((row) => [row.state, row.tasks]));
  const entries = TASK_STATES.map((state) => [state, found.get(state) ?? 0]);
  return Object.fromEntries(entries) as Record<TaskState, number>;
}
