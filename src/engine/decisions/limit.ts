/** `limit`: how much of a capability's or a project's work is done at once. */
import { z } from 'zod';
import { SETTINGS } from '../../core/events.js';
import { type AskedLimit, askedLimitSchema, type Limit } from '../../core/limits.js';
import { because, defineRule, whySchema } from './rule.js';

export const limitRule = defineRule({
  schema: z.strictObject({ limit: askedLimitSchema, why: whySchema }),
  decide({ limit: asked, why }, { by, now, limits }) {
    const limit = withRest(asked, limits());
    const project = limit.scope === 'project' ? limit.name : '';
    const event = { type: 'limit.set', limit, ...because(why) } as const;
    return {
      events: [{ time: now, project, goal: SETTINGS, by, event }],
      decision: { goal: SETTINGS, limit },
    };
  },
});

/** What is asked for, and the rest as it is. */
function withRest(asked: AskedLimit, limits: readonly Limit[]): Limit {
  const known = limits.find(({ scope, name }) => scope === asked.scope && name === asked.name);
  const { name, concurrency = known?.concurrency ?? null } = asked;
  if (asked.scope === 'project') return { scope: 'project', name, concurrency };
  const { rate = known?.scope === 'capability' ? known.rate : null } = asked;
  return { scope: 'capability', name, concurrency, rate };
}
