/** `limit`: how much of a capability's or a project's work is done at once. */
import { z } from 'zod';
import { SETTINGS } from '../../core/events.js';
import { limitSchema } from '../../core/limits.js';
import { because, defineRule, whySchema } from './rule.js';

export const limitRule = defineRule({
  schema: z.strictObject({ limit: limitSchema, why: whySchema }),
  decide({ limit, why }, { by, now }) {
    const project = limit.scope === 'project' ? limit.name : '';
    const event = { type: 'limit.set', limit, ...because(why) } as const;
    return {
      events: [{ time: now, project, goal: SETTINGS, by, event }],
      decision: { goal: SETTINGS, limit },
    };
  },
});
