/** `scheduleAdd`: a goal that is to begin again and again. Its plan is kept as it is now, whatever its file becomes. */
import { DroverError } from '../../core/errors.js';
import { type Json, nameSchema } from '../../core/plan.js';
import { checkPlan } from '../../core/plan-check.js';
import { CATCH_UPS, OVERLAPS } from '../../core/schedule-events.js';
import { scheduleSubject } from '../../core/schedule.js';
import { z } from 'zod';
import { goalRequestSchema } from './enqueue.js';
import { type Decision, defineRule } from './rule.js';

/** Firings make their own keys. */
const scheduledGoalSchema = goalRequestSchema.omit({ key: true });

const scheduleRequestSchema = z.strictObject({
  name: nameSchema,
  /** Minute, hour, day, month and weekday; a sixth field in front is seconds. */
  cron: z.string().max(200),
  /** The time zone of this machine unless given. */
  tz: z
    .string()
    .max(100)
    .default(() => Intl.DateTimeFormat().resolvedOptions().timeZone),
  /** What a firing does while the goal before it is still open; it is skipped unless given. */
  overlap: z.enum(OVERLAPS).default('skip'),
  /** What happens to firings that nobody was there for; the latest is made up for unless given. */
  catchUp: z.enum(CATCH_UPS).default('once'),
  goal: scheduledGoalSchema,
  /** Takes the place of a schedule with this name. */
  replace: z.boolean().default(false),
});
export type ScheduleRequest = z.input<typeof scheduleRequestSchema>;

export interface ScheduleDecision extends Decision {
  readonly schedule: string;
}

export const scheduleAddRule = defineRule({
  schema: scheduleRequestSchema,
  decide({ name, replace, goal: request, ...times }, situation) {
    const { cron, tz, overlap, catchUp } = times;
    const { by, now, calendar, findSchedule } = situation;
    const existing = findSchedule(name);
    if (existing && !replace) {
      throw new DroverError(
        'conflict',
        `There is a schedule ‘${name}’ already: "${existing.cron}" in ${existing.tz}.`,
        'Choose another name (--name), or take its place (--replace).',
      );
    }
    calendar.check({ cron, tz }, now);
    checkPlan(request.tasks);
    const goal = scheduleSubject(name);
    return {
      events: [
        {
          time: now,
          project: request.project,
          goal,
          by,
          event: {
            type: 'schedule.added',
            cron,
            tz,
            overlap,
            catchUp,
            // It was read from JSON, or is about to become such.
            request: request as unknown as Record<string, Json>,
          },
        },
      ],
      decision: { goal, schedule: name } satisfies ScheduleDecision,
    };
  },
});
