/** `cancel`: a goal is given up. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { because, defineRule, eventOn, goalIdSchema, whySchema } from './rule.js';

export const cancelRule = defineRule({
  schema: z.strictObject({ goal: goalIdSchema, why: whySchema }),
  decide({ goal: id, why }, situation) {
    const goal = situation.goal(id);
    if (goal.state === 'DONE' || goal.state === 'CANCELLED') {
      throw new DroverError('conflict', `${goal.id} is ${goal.state.toLowerCase()} already.`);
    }
    return {
      events: [eventOn(goal, situation, { type: 'goal.cancelled', ...because(why) })],
      decision: { goal: id },
    };
  },
});
