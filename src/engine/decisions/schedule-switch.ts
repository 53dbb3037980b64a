/** `schedulePause`, `scheduleResume` and `scheduleRemove`. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { Event } from '../../core/events.js';
import { nameSchema } from '../../core/plan.js';
import { scheduleSubject, type ScheduleView } from '../../core/schedule.js';
import { because, defineRule, type Situation, whySchema } from './rule.js';
import type { ScheduleDecision } from './schedule-add.js';

const switchSchema = z.strictObject({ schedule: nameSchema, why: whySchema });

/** @throws DroverError `not-found` */
export function scheduleNamed(name: string, { findSchedule }: Situation): ScheduleView {
  const schedule = findSchedule(name);
  if (schedule) return schedule;
  throw new DroverError(
    'not-found',
    `There is no schedule ‘${name}’.`,
    'List the schedules with `drover schedule list`.',
  );
}

const switchRule = (eventFor: (schedule: ScheduleView, why: { why?: string }) => Event) =>
  defineRule({
    schema: switchSchema,
    decide({ schedule: name, why }, situation) {
      const schedule = scheduleNamed(name, situation);
      const { now, by } = situation;
      const goal = scheduleSubject(name);
      const event = eventFor(schedule, because(why));
      return {
        events: [{ time: now, project: schedule.project, goal, by, event }],
        decision: { goal, schedule: name } satisfies ScheduleDecision,
      };
    },
  });

export const schedulePauseRule = switchRule(({ name, paused }, why) => {
  if (!paused) return { type: 'schedule.paused', ...why };
  throw new DroverError('conflict', `The schedule ‘${name}’ is paused already.`);
});

export const scheduleResumeRule = switchRule(({ name, paused }, why) => {
  if (paused) return { type: 'schedule.resumed', ...why };
  throw new DroverError('conflict', `The schedule ‘${name}’ is not paused.`);
});

export const scheduleRemoveRule = switchRule((_, why) => ({ type: 'schedule.removed', ...why }));
