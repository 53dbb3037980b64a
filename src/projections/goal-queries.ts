/** Questions about stored goals that need no fold. */
import { and, asc, count, desc, eq, inArray, isNotNull, isNull, or } from 'drizzle-orm';
import type { GoalState } from '../core/task-state.js';
import type { Database } from '../log/database.js';
import { goals, tasks } from '../log/schema.js';

export interface FinishedGoal {
  readonly id: string;
  readonly state: GoalState;
  readonly finishedAt: number | null;
  /** How many tasks it has. */
  readonly size: number;
}

/** Finished goals whose jobs are still in Redis, newest first. */
export function finishedInRedis(db: Database): FinishedGoal[] {
  return db
    .select({
      id: goals.id,
      state: goals.state,
      finishedAt: goals.finishedAt,
      size: count(tasks.id),
    })
    .from(goals)
    .leftJoin(tasks, eq(tasks.goal, goals.id))
    .where(and(eq(goals.evicted, false), inArray(goals.state, ['DONE', 'CANCELLED'])))
    .groupBy(goals.id)
    .orderBy(desc(goals.finishedAt))
    .all();
}

/** Goals whose branch may not be where the log says: done ones that have not landed, and those that were rolled back. */
export function goalsToLand(db: Database): string[] {
  const done = and(eq(goals.state, 'DONE'), eq(goals.merged, true), isNull(goals.landed));
  const rows = db
    .select({ id: goals.id })
    .from(goals)
    .where(or(done, isNotNull(goals.rollback)))
    .orderBy(asc(goals.number))
    .all();
  return rows.map(({ id }) => id);
}
