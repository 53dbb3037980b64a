/** `grow`, `add`: a running task, or a person, adds tasks to a goal. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { GoalView, TaskView } from '../../core/goal.js';
import { findCycle } from '../../core/graph.js';
import { type PlannedTask, plannedTaskSchema, type TaskSpec } from '../../core/plan.js';
import { checkPlan, MAX_TASKS } from '../../core/plan-check.js';
import { isFinal } from '../../core/task-state.js';
import { numberTasks } from './number.js';
import {
  because,
  defineRule,
  eventOn,
  goalIdSchema,
  noTask,
  type Situation,
  taskIdSchema,
  whySchema,
} from './rule.js';

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
    const specs = addedTo(goal, request.tasks, situation);
    if (awaited) refuseCycle(goal, adder, specs);
    const event = { type: 'plan.grown', tasks: specs, addedBy, awaited } as const;
    return {
      events: [eventOn(goal, { ...situation, by: addedBy }, event)],
      decision: decisionOn(goal, specs),
    };
  },
});

/** `add`: a person adds tasks to a goal that is under way. */
export const addRule = defineRule({
  schema: z.strictObject({
    goal: goalIdSchema,
    tasks: z.array(plannedTaskSchema).min(1),
    /** A second request with the same key is the first one again. */
    key: z.string().min(1).max(200).optional(),
    why: whySchema,
  }),
  idOf: ({ goal, key }) => (key === undefined ? undefined : `${goal}.add.${key}`),
  decide({ goal: id, tasks, why }, situation) {
    const goal = situation.goal(id);
    const specs = addedTo(goal, tasks, situation);
    const event = { type: 'plan.grown', tasks: specs, awaited: false, ...because(why) } as const;
    return { events: [eventOn(goal, situation, event)], decision: decisionOn(goal, specs) };
  },
});

/**
 * The tasks with their numbers; their needs may name each other and every task of the goal, by name or by id.
 * @throws DroverError `conflict` or `bad-plan`, which names the path of a cycle
 */
function addedTo(
  goal: GoalView,
  added: readonly PlannedTask[],
  { next, expectIn }: Situation,
): TaskSpec[] {
  if (goal.state === 'CANCELLED' || goal.state === 'DONE') {
    throw new DroverError(
      'conflict',
      `${goal.id} is ${goal.state.toLowerCase()}; nothing can be added to it.`,
      'Hand the tasks in as a goal of their own, with `drover enqueue`.',
    );
  }
  if (goal.tasks.size + added.length > MAX_TASKS) {
    throw new DroverError('bad-plan', `${goal.id} would have more than ${MAX_TASKS} tasks.`);
  }
  const known = new Map([...goal.tasks.keys()].map((id) => [id, id]));
  for (const { spec } of goal.tasks.values()) known.set(spec.name, spec.id);
  checkPlan(added, new Set(known.keys()));
  return numberTasks(added, next().task, goal.priority, expectIn(goal), known);
}

const decisionOn = (
  { id }: GoalView,
  specs: readonly TaskSpec[],
): { goal: string; added: Record<string, string> } => ({
  goal: id,
  added: Object.fromEntries(specs.map((spec) => [spec.name, spec.id])),
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
