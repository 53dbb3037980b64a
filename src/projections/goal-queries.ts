/** Questions about stored goals that need no fold. */
import { and, asc, count, desc, eq, inArray, isNotNull, isNull, notInArray, or } from 'drizzle-orm';
import type { GoalState, TaskState } from '../core/task-state.js';
import type { Database } from '../log/database.js';
import { goals, tasks } from '../log/schema.js';
import type { RunningTask } from './waits.js';

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

/** Tasks of open goals that workers hold, in the order in which they were claimed. */
export function runningTasks(db: Database): RunningTask[] {
  const rows = db
    .select({ id: tasks.id, project: goals.project, spec: tasks.spec })
    .from(goals)
    .innerJoin(tasks, eq(tasks.goal, goals.id))
    .where(
      and(inArray(goals.state, ['OPEN', 'SETTLED']), inArray(tasks.state, ['ASSIGNED', 'ACTIVE'])),
    )
    .orderBy(asc(tasks.assignedAt))
    .all();
  return rows.map(({ id, project, spec: { capability, concurrency } }) => ({
    id,
    project,
    capability,
    concurrency,
  }));
}

const unlanded = and(eq(goals.state, 'DONE'), eq(goals.merged, true), isNull(goals.landed));

/** Goals whose branch may not be where the log says: done ones that have not landed, and those that were rolled back. */
export function goalsToLand(db: Database): string[] {
  const rows = db
    .select({ id: goals.id })
    .from(goals)
    .where(or(unlanded, isNotNull(goals.rollback)))
    .orderBy(asc(goals.number))
    .all();
  return rows.map(({ id }) => id);
}

/** A done goal whose branch has work that the base branch lacks. */
export interface UnlandedGoal {
  readonly id: string;
  readonly project: string;
  readonly title: string;
  readonly finishedAt: number | null;
  readonly approved: boolean;
  /** Why it could not land. */
  readonly trouble: string | null;
}

/** Oldest first. */
export function unlandedGoals(db: Database): UnlandedGoal[] {
  return db
    .select({
      id: goals.id,
      project: goals.project,
      title: goals.title,
      finishedAt: goals.finishedAt,
      approved: goals.approved,
      trouble: goals.landingTrouble,
    })
    .from(goals)
    .where(unlanded)
    .orderBy(asc(goals.number))
    .all();
}

/** Goals of a project that still have something to do in its repository. */
export function unsettledGoals(db: Database, project: string): string[] {
  const open = inArray(goals.state, ['OPEN', 'SETTLED']);
  const rows = db
    .select({ id: goals.id })
    .from(goals)
    .where(and(eq(goals.project, project), or(open, unlanded)))
    .orderBy(asc(goals.number))
    .all();
  return rows.map(({ id }) => id);
}

/** Projects that have goals. */
export function projectsWithGoals(db: Database): string[] {
  const rows = db.selectDistinct({ project: goals.project }).from(goals).all();
  return rows.map(({ project }) => project);
}

/** Capabilities that tasks of open goals still need. */
export function neededCapabilities(db: Database): Set<string> {
  const over: TaskState[] = ['DONE', 'CANCELLED'];
  const rows = db
    .select({ spec: tasks.spec })
    .from(goals)
    .innerJoin(tasks, eq(tasks.goal, goals.id))
    .where(and(inArray(goals.state, ['OPEN', 'SETTLED']), notInArray(tasks.state, over)))
    .all();
  return new Set(rows.map(({ spec }) => spec.capability));
}
