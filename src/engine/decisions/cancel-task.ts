/** `cancelTask`, `skip`: tasks of a goal are given up. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { TaskView } from '../../core/goal.js';
import { withDescendants } from './reopen.js';
import { because, defineRule, eventOn, type Situation, taskIdSchema, whySchema } from './rule.js';

export const cancelTaskRule = defineRule({
  schema: z.strictObject({
    task: taskIdSchema,
    /**
     * What becomes of the tasks that build on it: they are cancelled as well, stay blocked by it, or go on with null
     * in place of its result.
     */
    dependents: z.enum(['cancel', 'block', 'skip']).default('cancel'),
    why: whySchema,
  }),
  decide({ task: id, dependents, why }, situation) {
    const { goal, task } = situation.task(id);
    refuseOver(task, 'cancelled', situation);
    // BullMQ lets what builds on an optional task go on in any case.
    if (dependents === 'skip' || (dependents === 'block' && task.spec.optional)) {
      const event = { type: 'task.skipped', ...because(why) } as const;
      return {
        events: [eventOn(goal, situation, event, id)],
        decision: { goal: goal.id, tasks: [id] },
      };
    }
    const chosen = dependents === 'block' ? [id] : withDescendants(goal, [id]);
    const tasks = chosen.filter((one) => {
      const { state } = goal.tasks.get(one)!;
      return state !== 'DONE' && state !== 'CANCELLED';
    });
    return {
      events: [eventOn(goal, situation, { type: 'tasks.cancelled', tasks, ...because(why) })],
      decision: { goal: goal.id, tasks },
    };
  },
});

export const skipRule = defineRule({
  schema: z.strictObject({ task: taskIdSchema, why: whySchema }),
  decide({ task: id, why }, situation) {
    const { goal, task } = situation.task(id);
    refuseOver(task, 'skipped', situation);
    if (task.state === 'ASSIGNED' || task.state === 'ACTIVE') {
      throw new DroverError(
        'conflict',
        `${id} is running.`,
        `End it with \`drover cancel ${id} --only --skip\`.`,
      );
    }
    const event = { type: 'task.skipped', ...because(why) } as const;
    return {
      events: [eventOn(goal, situation, event, id)],
      decision: { goal: goal.id, tasks: [id] },
    };
  },
});

function refuseOver({ spec, state, released }: TaskView, what: string, situation: Situation): void {
  const { goal } = situation.task(spec.id);
  const over = state === 'DONE' || (state === 'CANCELLED' && (released || what !== 'skipped'));
  if (goal.state !== 'CANCELLED' && !over) return;
  throw new DroverError(
    'conflict',
    `${spec.id} is ${state.toLowerCase()} already and cannot be ${what}.`,
    `See \`drover status ${goal.id}\`.`,
  );
}
