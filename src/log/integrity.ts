/** Questions to the log as it lies on the disk, for audits. They trust no code that wrote it. */
import { and, asc, countDistinct, count, eq, gt, isNotNull, like, ne, not, sql } from 'drizzle-orm';
import { scheduleOf, scheduleSubject } from '../core/schedule.js';
import type { Database } from './database.js';
import { events, goals, meta, schedules, tasks } from './schema.js';

/** Key of the sequence number up to which entries were read from a Redis that this log has left. */
const FOREIGN_ORIGINS = 'foreign-origins';

/** Findings of one kind that are listed at most; one is enough to condemn a log. */
const LISTED = 20;

/** Runs `work` on one state of the database, whatever is committed meanwhile. */
export function snapshot<T>(db: Database, work: () => T): T {
  return db.transaction(() => work(), { behavior: 'deferred' });
}

/** Places where sequence numbers are missing: the numbers before and after each hole. */
export function sequenceGaps(db: Database): { after: number; before: number }[] {
  const pairs = db
    .select({
      seq: events.seq,
      previous: sql<number>`lag(${events.seq}, 1, 0) over (order by ${events.seq})`.as('previous'),
    })
    .from(events)
    .as('pairs');
  return db
    .select({ after: pairs.previous, before: pairs.seq })
    .from(pairs)
    .where(sql`${pairs.seq} <> ${pairs.previous} + 1`)
    .orderBy(asc(pairs.seq))
    .limit(LISTED)
    .all();
}

/** Stream entries that stand in the log more than once. */
export function repeatedOrigins(db: Database): { queue: string; entry: string; times: number }[] {
  return db
    .select({
      queue: sql<string>`${events.queue}`,
      entry: sql<string>`${events.entry}`,
      times: count(),
    })
    .from(events)
    .where(isNotNull(events.queue))
    .groupBy(events.queue, events.entry)
    .having(gt(count(), 1))
    .limit(LISTED)
    .all();
}

/** Rows of tasks under another id than their own, which readers by goal take for that task once more. */
export function misnamedTasks(db: Database): { row: string; task: string; goal: string }[] {
  const task = sql<string>`json_extract(${tasks.spec}, '$.id')`;
  return db
    .select({ row: tasks.id, task, goal: tasks.goal })
    .from(tasks)
    .where(sql`${tasks.id} <> ${task}`)
    .limit(LISTED)
    .all();
}

/** For each queue, the last of the entries that were read from the Redis which the log is used with. */
export function lastEntries(db: Database): Map<string, string> {
  // Entries are `milliseconds-number`; as texts they would sort wrongly.
  const dash = sql`instr(${events.entry}, '-')`;
  const time = sql`cast(substr(${events.entry}, 1, ${dash} - 1) as integer)`;
  const number = sql`cast(substr(${events.entry}, ${dash} + 1) as integer)`;
  const ranked = db
    .select({
      queue: events.queue,
      entry: events.entry,
      rank: sql<number>`row_number() over (partition by ${events.queue} order by ${time} desc, ${number} desc)`.as(
        'rank',
      ),
    })
    .from(events)
    .where(and(isNotNull(events.queue), gt(events.seq, foreignOrigins(db))))
    .as('ranked');
  const rows = db.select().from(ranked).where(eq(ranked.rank, 1)).all();
  return new Map(rows.map(({ queue, entry }) => [queue!, entry!]));
}

const ofSchedules = like(events.goal, `${scheduleSubject('')}%`);
/** Events that name a goal, and nothing else. */
const ofGoals = and(not(ofSchedules), ne(events.goal, ''));

/** Every schedule that an event or a stored row names. */
export const scheduleNames = (db: Database): string[] =>
  db
    .selectDistinct({ subject: events.goal })
    .from(events)
    .where(ofSchedules)
    .all()
    .map(({ subject }) => scheduleOf(subject)!)
    .concat(
      db
        .select({ name: schedules.name })
        .from(schedules)
        .all()
        .map(({ name }) => name),
    );

/** Every goal that an event or a stored row names, oldest first. */
export function goalIds(db: Database): string[] {
  const rows = db
    .select({ id: events.goal })
    .from(events)
    .where(ofGoals)
    .union(db.select({ id: goals.id }).from(goals))
    .union(db.select({ id: tasks.goal }).from(tasks))
    .all();
  const number = (id: string): number => Number(id.slice(id.indexOf('-') + 1));
  return rows.map(({ id }) => id).toSorted((a, b) => number(a) - number(b));
}

/** Tasks by id with their goal, and whether its jobs have left Redis. */
export function taskHomes(db: Database): Map<string, { goal: string; evicted: boolean }> {
  const rows = db
    .select({ id: tasks.id, goal: tasks.goal, evicted: goals.evicted })
    .from(tasks)
    .innerJoin(goals, eq(goals.id, tasks.goal))
    .all();
  return new Map(rows.map(({ id, ...home }) => [id, home]));
}

export function totals(db: Database): { events: number; goals: number; tasks: number } {
  const logged = db.select({ rows: count() }).from(events).get();
  const named = db
    .select({ rows: countDistinct(events.goal) })
    .from(events)
    .where(ofGoals)
    .get();
  const stored = db.select({ rows: count() }).from(tasks).get();
  return { events: logged?.rows ?? 0, goals: named?.rows ?? 0, tasks: stored?.rows ?? 0 };
}

/** The sequence number up to which events name entries of a Redis that this log has left; 0 for none. */
function foreignOrigins(db: Database): number {
  const row = db.select().from(meta).where(eq(meta.key, FOREIGN_ORIGINS)).get();
  return Number(row?.value ?? 0);
}

/** Remembers that the entries named so far are of another Redis: no cursor has to stand behind them. */
export function leaveOrigins(db: Database, seq: number): void {
  db.insert(meta)
    .values({ key: FOREIGN_ORIGINS, value: String(seq) })
    .run();
}
