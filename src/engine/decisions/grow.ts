/** `grow`: a running task adds tasks to its goal. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { GoalView, TaskView } from '../../core/goal.js';
import { findCycle } from '../../core/graph.js';
import { plannedTaskSchema, type TaskSpec } from '../../core/plan.js';
import { checkPlan, MAX_TASKS } from '../../core/plan-check.js';
import { isFinal } from '../../core/task-state.js';
import { numberTasks } from './number.js';
import { defineRule, eventOn, goalIdSchema, noTask, taskIdSchema } from './rule.js';

export const growRule = defineRule({
  schema: z.strictObject({
    goal: goalIdSchema,
    task: taskIdSchema,
    claim: z.int().min(1),
    call: z.int().min(1),
    awaited: z.boolean(),
    tasks: z.array(plannedTaskSchema).min(1),
  }),
  /** One call of a handler is one request, whichever claim of its task makes it. */
  idOf: ({ task, call }) => `${task}.add.${call}`,
  decide(request, situation) {
    const { task: addedBy, awaited } = request;
    const goal = situation.goal(request.goal);
    const adder = goal.tasks.get(addedBy);
    if (!adder) throw noTask(addedBy);
    if (request.claim < adder.claims || isFinal(adder.state)) {
      throw new DroverError(
        'stale-claim',
        `Claim ${request.claim} of ${addedBy} no longer holds the task.`,
      );
    }
    if (goal.state === 'CANCELLED' || goal.state === 'DONE') {
      throw new DroverError(
        'conflict',
        `${goal.id} is ${goal.state.toLowerCase()}; nothing can be added to it.`,
      );
    }
    if (goal.tasks.size + request.tasks.length > MAX_TASKS) {
      throw new DroverError('bad-plan', `${goal.id} would have more than ${MAX_TASKS} tasks.`);
    }
    const known = new Map([...goal.tasks.values()].map(({ spec }) => [spec.name, spec.id]));
    const { tasks } = checkPlan({ tasks: request.tasks }, new Set(known.keys()));
    const { next, expectIn } = situation;
    const specs = numberTasks(tasks, next().task, goal.priority, expectIn(goal), known);
    if (awaited) refuseCycle(goal, adder, specs);
    const event = { type: 'plan.grown', tasks: specs, addedBy, awaited } as const;
    return {
      events: [eventOn(goal, { ...situation, by: addedBy }, event)],
      decision: {
        goal: goal.id,
        added: Object.fromEntries(specs.map(({ name, id }) => [name, id])),
      },
    };
  },
});

/** A task that waits for what it added would wait for itself if that needed it, however indirectly. */
function refuseCycle(goal: GoalView, adder: TaskView, added: readonly TaskSpec[]): void {
  const nodes = [...goal.tasks.values()].map(({ spec }) => ({
    id: spec.id,
    needs: spec === adder.spec ? [...spec.needs, ...added.map(({ id }) => id)] : spec.needs,
  }));
  const cycle = findCycle([...nodes, ...added]);
  if (!cycle) return;
  throw new DroverError(
    'bad-plan',
    `The added tasks would wait for each other: ${cycle.join(' → ')}.`,
    `Leave out the need on ${adder.spec.id}, or do not wait for them.`,
  );
}
