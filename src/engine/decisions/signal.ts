/** `signal`: something that tasks of a goal may wait for has happened. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { jsonSchema, nameSchema } from '../../core/plan.js';
import { defineRule, eventOn, goalIdSchema } from './rule.js';

/** Characters of a signal's data as JSON. */
const MAX_DATA = 64 * 1024;

export const signalRule = defineRule({
  schema: z.strictObject({
    goal: goalIdSchema,
    name: nameSchema,
    data: jsonSchema.default(null).refine((data) => JSON.stringify(data).length <= MAX_DATA, {
      error: `is longer than ${MAX_DATA} characters`,
    }),
  }),
  decide({ goal: id, name, data }, situation) {
    const goal = situation.goal(id);
    if (goal.state === 'CANCELLED' || goal.state === 'DONE') {
      throw new DroverError('conflict', `${id} is ${goal.state.toLowerCase()}; nothing waits.`);
    }
    return {
      events: [eventOn(goal, situation, { type: 'goal.signalled', name, data })],
      decision: { goal: id },
    };
  },
});
