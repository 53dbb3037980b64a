/**
 * `retry`: a failed task gets all its attempts again. One that a person refused is asked about again: that somebody
 * wants it tried is not the agreement that its plan asks for.
 */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { isDenied, isRefused, type TaskView } from '../../core/goal.js';
import { reopenEvents, withDescendants } from './reopen.js';
import {
  because,
  type Decided,
  type Decision,
  defineRule,
  eventOn,
  taskIdSchema,
  whySchema,
} from './rule.js';

export interface RetryDecision extends Decision {
  readonly task: string;
  readonly fromScratch: boolean;
  /** The task or goal whose approval it waits for again; null where it is tried at once. */
  readonly asked: string | null;
}

export const retryRule = defineRule({
  schema: z.strictObject({
    task: taskIdSchema,
    /** Its finished steps run again. */
    fromScratch: z.boolean().default(false),
    why: whySchema,
  }),
  decide({ task: id, fromScratch, why }, situation): Decided<RetryDecision> {
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
        task.state === 'DONE' || task.state === 'CANCELLED'
          ? `Let it begin anew with \`drover rerun ${id}\`.`
          : `See \`drover status ${goal.id}\`.`,
      );
    }
    if (isRefused(task) && !task.released) {
      const ofPlan = isRefusedPlan(task);
      // The plan was refused as a whole, and is asked about as a whole.
      const refused = ofPlan
        ? [...goal.tasks.values()].filter(isRefusedPlan).map(({ spec }) => spec.id)
        : [id];
      return {
        events: reopenEvents(goal, withDescendants(goal, refused), { why }, situation),
        decision: { goal: goal.id, task: id, fromScratch, asked: ofPlan ? goal.id : id },
      };
    }
    if (task.openNeeds > 0 || isRefused(task)) {
      throw new DroverError(
        'conflict',
        `${id} was ended before it began.`,
        `Let it begin anew with \`drover rerun ${id}\`.`,
      );
    }
    const event = {
      type: 'task.retried',
      ...(fromScratch && { fromScratch }),
      ...because(why),
    } as const;
    return {
      events: [eventOn(goal, situation, event, id)],
      decision: { goal: goal.id, task: id, fromScratch, asked: null },
    };
  },
});

const isRefusedPlan = (task: TaskView): boolean =>
  isRefused(task) && task.gates.some((gate) => gate.kind === 'plan' && isDenied(gate));
