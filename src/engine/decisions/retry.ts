/** `retry`: a failed task gets all its attempts again. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { because, defineRule, eventOn, taskIdSchema, whySchema } from './rule.js';

export const retryRule = defineRule({
  schema: z.strictObject({ task: taskIdSchema, why: whySchema }),
  decide({ task: id, why }, situation) {
    const { goal, task } = situation.task(id);
    if (goal.state === 'CANCELLED') {
      throw new DroverError(
        'conflict',
        `${goal.id} is cancelled; none of its tasks can be retried.`,
      );
    }
    if (task.state !== 'FAILED') {
      throw new DroverError(
        'conflict',
        `${id} is ${task.state}; only a failed task can be retried.`,
        `See \`drover status ${goal.id}\`.`,
      );
    }
    return {
      events: [eventOn(goal, situation, { type: 'task.retried', ...because(why) }, id)],
      decision: { goal: goal.id, task: id },
    };
  },
});
