/**
 * The append-only log.
 *
 * Invariants kept here: 1 (the log is the truth), 3 (an entry of a stream is recorded exactly once: the pair
 * of queue and entry is unique, and cursors move in the transaction that appends).
 */
import { randomUUID } from 'node:crypto';
import { and, asc, count, eq, getTableColumns, gt, lte, max, sql } from 'drizzle-orm';
import { DroverError } from '../core/errors.js';
import {
  EVENT_VERSION,
  type Event,
  eventSchema,
  type LoggedEvent,
  type NewEvent,
} from '../core/events.js';
import { issuesText } from '../core/issues-text.js';
import type { Json } from '../core/plan.js';
import { type Database, openDatabase } from './database.js';
import { commands, cursors, events, goals, meta, tasks } from './schema.js';
import { prepareChange, prepareRead, type Read } from './statement.js';

/** Which events to read; what is left out does not restrict. */
export interface EventFilter {
  readonly goal?: string;
  readonly task?: string;
  readonly project?: string;
  readonly types?: readonly Event['type'][];
  /** Events after this sequence number. */
  readonly after?: number;
  /** Events up to and including this sequence number. */
  readonly until?: number;
  /** Events up to and including this time, epoch milliseconds. */
  readonly untilTime?: number;
  readonly limit?: number;
}

/** Answers kept at least: a command is delivered again within moments, or a sender repeats it. */
const OUTCOMES = 10_000;
/** Answers after which the older ones are looked through. */
const PRUNE_EVERY = 1_000;

export class Log {
  private readonly insertEvent;
  private readonly upsertCursor;
  private readonly insertOutcome;
  private readonly readOutcome;
  private readonly reads = new Map<string, Read<typeof events.$inferSelect>>();
  /** The next free numbers, once they were counted; a rollback makes them doubtful. */
  private next: { goal: number; task: number } | undefined;

  private constructor(
    readonly db: Database,
    readonly close: () => void,
  ) {
    this.insertEvent = prepareChange(
      db,
      db.insert(events).values({
        time: sql.placeholder('time'),
        project: sql.placeholder('project'),
        goal: sql.placeholder('goal'),
        task: sql.placeholder('task'),
        claim: sql.placeholder('claim'),
        by: sql.placeholder('by'),
        type: sql.placeholder('type'),
        version: EVENT_VERSION,
        queue: sql.placeholder('queue'),
        entry: sql.placeholder('entry'),
        payload: sql.placeholder('payload'),
      }),
    );
    this.upsertCursor = prepareChange(
      db,
      db
        .insert(cursors)
        .values({ queue: sql.placeholder('queue'), entry: sql.placeholder('entry') })
        .onConflictDoUpdate({ target: cursors.queue, set: { entry: sql`excluded.entry` } }),
    );
    const { outcome } = commands;
    const id = sql.placeholder('id');
    const value = { id, outcome: sql.placeholder('outcome') };
    this.insertOutcome = prepareChange(db, db.insert(commands).values(value));
    const known = db.select({ outcome }).from(commands).where(eq(commands.id, id));
    this.readOutcome = prepareRead(db, { outcome }, known);
  }

  /** Opens for writing, creating and migrating the file as needed. The caller holds the writer's lock. */
  static open(dataDir: string): Log {
    const { db, close } = openDatabase(dataDir, 'write');
    return new Log(db, close);
  }

  /** Opens for reading only. */
  static read(dataDir: string): Log {
    const { db, close } = openDatabase(dataDir, 'read');
    return new Log(db, close);
  }

  /** So that `using` closes it at the end of a block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Names this log, so that two logs never take turns on one Redis prefix. Made at the first call. */
  id(): string {
    const known = this.knownId();
    if (known !== undefined) return known;
    const value = randomUUID();
    this.db.insert(meta).values({ key: 'log-id', value }).run();
    return value;
  }

  /** The log's name where it has one; a log that no supervisor has used has none. */
  knownId(): string | undefined {
    return this.db.select().from(meta).where(eq(meta.key, 'log-id')).get()?.value;
  }

  /** Gives a new log the name of the one whose place it takes. */
  adoptId(id: string): void {
    this.db.insert(meta).values({ key: 'log-id', value: id }).run();
  }

  /** Runs `work` in one transaction; what it throws rolls everything back. */
  transaction<T>(work: () => T): T {
    try {
      return this.db.transaction(() => work(), { behavior: 'immediate' });
    } catch (error) {
      this.next = undefined;
      throw error;
    }
  }

  append(entry: NewEvent): LoggedEvent {
    const { type, ...payload } = entry.event;
    if (this.next && type === 'goal.created') this.next.goal += 1;
    if (this.next && (type === 'goal.planned' || type === 'plan.grown')) {
      this.next.task += entry.event.tasks.length;
    }
    const row = this.insertEvent({
      time: entry.time,
      project: entry.project,
      goal: entry.goal,
      task: entry.task ?? null,
      claim: entry.claim ?? null,
      by: entry.by ?? null,
      type,
      queue: entry.origin?.queue ?? null,
      entry: entry.origin?.entry ?? null,
      payload,
    });
    return { ...entry, seq: Number(row) };
  }

  /** The events that match, oldest first; rows are read as the caller takes them, a page at a time. */
  *events(filter: EventFilter = {}): Generator<LoggedEvent> {
    const pageSize = 1_000;
    const read = this.readOf(filter);
    const types = filter.types && JSON.stringify(filter.types);
    let after = filter.after ?? 0;
    let left = filter.limit ?? Number.POSITIVE_INFINITY;
    for (;;) {
      const rows = read({ ...filter, types, after, limit: Math.min(pageSize, left) });
      for (const row of rows) yield toLogged(row);
      left -= rows.length;
      if (rows.length < pageSize || left <= 0) return;
      after = rows.at(-1)!.seq;
    }
  }

  /** Prepared once for each kind of filter: building a query costs more than finding a task's events. */
  private readOf(filter: EventFilter): Read<typeof events.$inferSelect> {
    const given = CONDITION_NAMES.filter((name) => filter[name] !== undefined);
    const kind = given.join();
    const known = this.reads.get(kind);
    if (known) return known;
    const read = prepareRead(
      this.db,
      getTableColumns(events),
      this.db
        .select()
        .from(events)
        .where(
          and(gt(events.seq, sql.placeholder('after')), ...given.map((name) => CONDITIONS[name])),
        )
        .orderBy(asc(events.seq))
        .limit(sql.placeholder('limit')),
    );
    this.reads.set(kind, read);
    return read;
  }

  lastSeq(): number {
    return (
      this.db
        .select({ seq: max(events.seq) })
        .from(events)
        .get()?.seq ?? 0
    );
  }

  /** The last recorded entry of a queue's stream; `0-0` before the first. */
  cursor(queue: string): string {
    return this.db.select().from(cursors).where(eq(cursors.queue, queue)).get()?.entry ?? '0-0';
  }

  cursors(): Map<string, string> {
    return new Map(
      this.db
        .select()
        .from(cursors)
        .all()
        .map((row) => [row.queue, row.entry]),
    );
  }

  moveCursor(queue: string, entry: string): void {
    this.upsertCursor({ queue, entry });
  }

  /** What a command's first delivery led to, or undefined where it was not carried out yet. */
  outcome(command: string): Json | undefined {
    return this.readOutcome({ id: command })[0]?.outcome;
  }

  recordOutcome(command: string, outcome: Json): void {
    const row = Number(this.insertOutcome({ id: command, outcome }));
    if (row % PRUNE_EVERY === 0) this.forgetOutcomes(row - OUTCOMES);
  }

  /** What rules name themselves stays (`task-1.add.1`): a handler that is run again, however late, adds the same tasks. */
  private forgetOutcomes(upTo: number): void {
    this.db.run(sql`DELETE FROM commands WHERE rowid <= ${upTo} AND id NOT GLOB '*.*.*'`);
  }

  /** The next free numbers. Neither goals nor tasks are ever deleted, so counting them is enough. */
  nextNumbers(): { goal: number; task: number } {
    this.next ??= {
      goal: 1 + (this.db.select({ rows: count() }).from(goals).get()?.rows ?? 0),
      task: 1 + (this.db.select({ rows: count() }).from(tasks).get()?.rows ?? 0),
    };
    return { ...this.next };
  }
}

/** What each part of a filter asks for, besides `after` and `limit`. */
const CONDITIONS = {
  goal: eq(events.goal, sql.placeholder('goal')),
  task: eq(events.task, sql.placeholder('task')),
  types: sql`${events.type} in (select value from json_each(${sql.placeholder('types')}))`,
  project: eq(events.project, sql.placeholder('project')),
  until: lte(events.seq, sql.placeholder('until')),
  untilTime: lte(events.time, sql.placeholder('untilTime')),
};
const CONDITION_NAMES = Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[];

function toLogged(row: typeof events.$inferSelect): LoggedEvent {
  if (row.version > EVENT_VERSION) {
    throw new DroverError(
      'log-newer',
      `Event ${row.seq} has version ${row.version}; this Drover knows up to ${EVENT_VERSION}.`,
      'Install the version of Drover that wrote this log, or a later one.',
    );
  }
  return {
    seq: row.seq,
    time: row.time,
    project: row.project,
    goal: row.goal,
    ...(row.task !== null && { task: row.task }),
    ...(row.claim !== null && { claim: row.claim }),
    ...(row.by !== null && { by: row.by }),
    ...(row.queue !== null &&
      row.entry !== null && { origin: { queue: row.queue, entry: row.entry } }),
    event: eventOf(row),
  };
}

function eventOf({ seq, type, payload }: typeof events.$inferSelect): Event {
  const parsed = eventSchema.safeParse({ type, ...payload });
  if (parsed.success) return parsed.data;
  throw new DroverError(
    'log-unreadable',
    `Event ${seq} (${type}) is none that Drover knows: ${issuesText(parsed.error)}.`,
    'Something else has changed the log: go on with an export or a copy of it from before.',
  );
}
