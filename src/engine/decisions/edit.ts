/** `edit`: a task that has not begun gets another text, retry policy or priority. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { askedChangesSchema } from '../../core/events.js';
import { changesTo } from './changes.js';
import { because, defineRule, eventOn, taskIdSchema, whySchema } from './rule.js';

export const editRule = defineRule({
  schema: z.strictObject({
    task: taskIdSchema,
    changes: askedChangesSchema.refine((changes) => Object.keys(changes).length > 0, {
      error: 'says nothing that changes',
    }),
    why: whySchema,
  }),
  decide({ task: id, changes, why }, situation) {
    const { goal, task } = situation.task(id);
    if (task.state !== 'BACKLOG' && task.state !== 'PENDING') {
      throw new DroverError(
        'conflict',
        `${id} is ${task.state}; only a task that has not begun can be edited.`,
        `Run it again with \`drover rerun ${id}\`, which can change it too.`,
      );
    }
    const event = {
      type: 'task.edited',
      changes: changesTo(task.spec, changes),
      ...because(why),
    } as const;
    return {
      events: [eventOn(goal, situation, event, id)],
      decision: { goal: goal.id, task: id },
    };
  },
});
