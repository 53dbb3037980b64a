/**
 * The log's rows as they are stored, for exports and imports: what is written out is what was recorded, and
 * nothing that this version adds when it reads.
 */
import { and, asc, gt, lte, sql } from 'drizzle-orm';
import { z } from 'zod';
import { EVENT_VERSION, eventSchema, type LoggedEvent } from '../core/events.js';
import { jsonSchema } from '../core/plan.js';
import type { Database } from './database.js';
import { commands, events } from './schema.js';

/** One event with its place, on one line. */
export const eventRowSchema = z.strictObject({
  seq: z.int().min(1),
  time: z.int(),
  project: z.string(),
  goal: z.string(),
  task: z.string().optional(),
  claim: z.int().min(1).optional(),
  by: z.string().optional(),
  type: z.string(),
  version: z.int().min(1),
  origin: z.strictObject({ queue: z.string(), entry: z.string().regex(/^\d+-\d+$/) }).optional(),
  payload: z.record(z.string(), jsonSchema),
});
export type EventRow = z.infer<typeof eventRowSchema>;

/** What a command led to; kept so that one that is delivered again is not carried out again. */
export const commandRowSchema = z.strictObject({ command: z.string(), outcome: jsonSchema });
export type CommandRow = z.infer<typeof commandRowSchema>;

const PAGE = 1_000;

/** All events up to and including `until`, oldest first, a page at a time. */
export function* eventRows(db: Database, until: number): Generator<EventRow> {
  for (let after = 0; after < until;) {
    const rows = db
      .select()
      .from(events)
      .where(and(gt(events.seq, after), lte(events.seq, until)))
      .orderBy(asc(events.seq))
      .limit(PAGE)
      .all();
    for (const { task, claim, by, queue, entry, payload, type, version, ...place } of rows) {
      yield {
        ...place,
        ...(task !== null && { task }),
        ...(claim !== null && { claim }),
        ...(by !== null && { by }),
        type,
        version,
        ...(queue !== null && entry !== null && { origin: { queue, entry } }),
        // The column's schema promises no more than an object; it was JSON when it was stored.
        payload: payload as EventRow['payload'],
      };
    }
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.seq;
  }
}

export function commandRows(db: Database): CommandRow[] {
  return db
    .select({ command: commands.id, outcome: commands.outcome })
    .from(commands)
    .orderBy(sql`rowid`)
    .all();
}

/**
 * The event that a row holds.
 * @throws ZodError where it is none of this version.
 */
export function eventOf(row: EventRow): LoggedEvent {
  const {
    type,
    version: _version,
    payload,
    seq,
    time,
    project,
    goal,
    task,
    claim,
    by,
    origin,
  } = row;
  return {
    seq,
    time,
    project,
    goal,
    ...(task !== undefined && { task }),
    ...(claim !== undefined && { claim }),
    ...(by !== undefined && { by }),
    ...(origin !== undefined && { origin }),
    event: eventSchema.parse({ ...payload, type }),
  };
}

/** Whether this Drover can read events of that version. */
export const knowsVersion = (version: number): boolean => version <= EVENT_VERSION;

/** Stores a row under its own sequence number. */
export function insertRow(db: Database, row: EventRow): void {
  const { origin, type, ...rest } = row;
  db.insert(events)
    // `eventOf` has checked that it is one of the known types.
    .values({ ...rest, ...origin, type: type as typeof events.$inferInsert.type })
    .run();
}
