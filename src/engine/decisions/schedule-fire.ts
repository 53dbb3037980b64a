/**
 * `scheduleFire`: what is due begins, and `scheduleRun`: it begins because somebody wants it to.
 *
 * Everything that was due up to now and is not accounted for is decided at once, so it does not matter who asks, how
 * often, or how late: the job of BullMQ, the start of a supervisor, or the end of the goal before. A firing and its
 * goal are recorded together (invariants 2 and 4).
 */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { nameSchema } from '../../core/plan.js';
import { scheduleSubject, type ScheduleView } from '../../core/schedule.js';
import { Firing } from './firing.js';
import { defineRule, type Situation, whySchema } from './rule.js';
import type { ScheduleDecision } from './schedule-add.js';
import { scheduleNamed } from './schedule-switch.js';

/** Milliseconds; what is later than that was missed. */
const LATE = 60_000;
/** Missed firings that are made up for, or counted. */
const MOST = 100;

export interface FireDecision extends ScheduleDecision {
  /** Goals that began. */
  readonly created: readonly string[];
  /** Goals that were cancelled for them. */
  readonly cancelled: readonly string[];
}

export const scheduleFireRule = defineRule({
  schema: z.strictObject({
    schedule: nameSchema,
    /** When it was due; earlier than now, unless somebody promoted its job. */
    due: z.int().min(0).optional(),
  }),
  decide({ schedule: name, due }, situation) {
    const schedule = situation.findSchedule(name);
    const decision = { goal: scheduleSubject(name), schedule: name };
    // Removed or paused after its job was taken: that is what was wanted.
    if (!schedule) return { events: [], decision: { ...decision, created: [], cancelled: [] } };
    const firing = new Firing(schedule, { ...situation, by: `schedule ${name}` });
    firing.beginQueued();
    if (!schedule.paused) {
      const { slots, more } = dueSince(schedule, due, situation);
      const late = slots.filter((slot) => situation.now - slot > LATE);
      const wanted = wantedOf(schedule, slots, late);
      const missed = slots.filter((slot) => !wanted.includes(slot));
      if (missed.length > 0) firing.miss(missed, more);
      firing.fire(wanted);
    }
    const { events, created, cancelled } = firing;
    return { events, decision: { ...decision, created, cancelled } satisfies FireDecision };
  },
});

export const scheduleRunRule = defineRule({
  schema: z.strictObject({ schedule: nameSchema, why: whySchema }),
  decide({ schedule: name, why }, situation) {
    const schedule = scheduleNamed(name, situation);
    const firing = new Firing(schedule, situation, why);
    if (schedule.overlap === 'skip' && firing.running !== null) {
      throw new DroverError(
        'conflict',
        `${firing.running} of the schedule ‘${name}’ is still open.`,
        `Wait for it, or cancel it (\`drover cancel ${firing.running}\`).`,
      );
    }
    firing.fire([null]);
    const { events, created, cancelled } = firing;
    const decision = { goal: scheduleSubject(name), schedule: name, created, cancelled };
    return { events, decision: decision satisfies FireDecision };
  },
});

/** What is to begin of everything that was due, by the schedule's policy. */
function wantedOf(
  { catchUp }: ScheduleView,
  slots: readonly number[],
  late: readonly number[],
): readonly number[] {
  switch (catchUp) {
    case 'all':
      return slots;
    case 'once':
      // One goal makes up for all that were missed; the one that is due now does so as well.
      return late.length > 0 ? slots.slice(-1) : slots;
    case 'none':
      return slots.filter((slot) => !late.includes(slot));
    default:
      return catchUp satisfies never;
  }
}

/** The latest moments at which it was due and that are not accounted for, oldest first. */
function dueSince(
  schedule: ScheduleView,
  due: number | undefined,
  { now, calendar }: Situation,
): { slots: number[]; more: boolean } {
  const { accounted } = schedule;
  const first = calendar.next(schedule, Math.max(accounted, now));
  // A job that was promoted by hand brings its own time forward, and no later one.
  const until = due !== undefined && due === first ? due : now;
  for (let window = LATE; ; window *= 4) {
    const from = Math.max(accounted, until - window);
    const slots = slotsWithin(schedule, from, until, calendar.next);
    if (from === accounted || slots.length > MOST) {
      return { slots: slots.slice(-MOST), more: slots.length > MOST };
    }
  }
}

function slotsWithin(
  schedule: ScheduleView,
  from: number,
  until: number,
  next: Situation['calendar']['next'],
): number[] {
  const slots: number[] = [];
  let slot = next(schedule, from);
  while (slot !== undefined && slot <= until) {
    slots.push(slot);
    slot = next(schedule, slot);
  }
  return slots;
}
