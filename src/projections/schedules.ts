/**
 * The schedules as their stored rows show them. They change a few times an hour, so nothing is held in memory: a
 * row is read, folded and written in the transaction that appends the event.
 *
 * Invariants kept here: 1 (the stored rows equal the fold: both come from `evolveSchedule`).
 */
import { and, asc, eq, ne, sql } from 'drizzle-orm';
import type { NewEvent } from '../core/events.js';
import { evolveSchedule, scheduleOf, type ScheduleView } from '../core/schedule.js';
import type { Database } from '../log/database.js';
import { schedules } from '../log/schema.js';

/** To be called inside the transaction. */
export function foldSchedule(db: Database, entry: NewEvent): void {
  const name = scheduleOf(entry.goal)!;
  const before = loadSchedule(db, name);
  const after = evolveSchedule(before, entry);
  if (!after) {
    db.delete(schedules).where(eq(schedules.name, name)).run();
    return;
  }
  const row = { ...after, request: { ...after.request } };
  db.insert(schedules).values(row).onConflictDoUpdate({ target: schedules.name, set: row }).run();
}

export function loadSchedule(db: Database, name: string): ScheduleView | undefined {
  return db.select().from(schedules).where(eq(schedules.name, name)).get();
}

/** Finds the schedules with firings that wait for a goal. Prepared once, because every goal's end asks. */
export function prepareSchedulesBehind(db: Database): (goal: string) => string[] {
  const behind = db
    .select({ name: schedules.name })
    .from(schedules)
    .where(and(eq(schedules.lastGoal, sql.placeholder('goal')), ne(schedules.queued, sql`'[]'`)))
    .prepare();
  return (goal) => behind.all({ goal }).map(({ name }) => name);
}

/** All schedules by name. */
export const listSchedules = (db: Database): ScheduleView[] =>
  db.select().from(schedules).orderBy(asc(schedules.name)).all();
