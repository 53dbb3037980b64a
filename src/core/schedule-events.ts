/** What happens to schedules, in the past tense; part of the log's union of events. */
import { z } from 'zod';
import { jsonSchema } from './plan.js';

/** What a firing does while the goal before it is still open. */
export const OVERLAPS = ['skip', 'queue', 'cancel'] as const;
export type Overlap = (typeof OVERLAPS)[number];

/** What happens to firings that were missed while nobody was there. */
export const CATCH_UPS = ['none', 'once', 'all'] as const;
export type CatchUp = (typeof CATCH_UPS)[number];

const text = z.string();
const why = text.optional();
/** Epoch milliseconds. */
const moment = z.int().min(0);
/** When a firing was due; null for one that somebody asked for. */
const due = moment.nullable();

export const scheduleEventSchema = z.discriminatedUnion('type', [
  /** Added, or put in the place of the one with its name. */
  z.object({
    type: z.literal('schedule.added'),
    cron: text,
    tz: text,
    overlap: z.enum(OVERLAPS),
    catchUp: z.enum(CATCH_UPS),
    /** The request for a goal, which is made at each firing. */
    request: z.record(text, jsonSchema),
  }),
  z.object({ type: z.literal('schedule.paused'), why }),
  z.object({ type: z.literal('schedule.resumed'), why }),
  z.object({ type: z.literal('schedule.removed'), why }),
  /** A goal began; it is created in the same transaction. */
  z.object({ type: z.literal('schedule.fired'), due, goal: text, why }),
  /** It begins when the goal before it has ended. */
  z.object({ type: z.literal('schedule.queued'), due, behind: text, why }),
  z.object({ type: z.literal('schedule.skipped'), due, reason: text }),
  /** Nobody was there when these were due; they are not made up for. */
  z.object({
    type: z.literal('schedule.missed'),
    from: moment,
    to: moment,
    count: z.int().min(1),
    /** True where there were more than were counted. */
    more: z.boolean(),
  }),
]);
