/**
 * Decisions: what events a request leads to, given the goals as they are. No effects here; the supervisor
 * records the events first and acts on them afterwards (invariant 2).
 */
import { DroverError } from '../../core/errors.js';
import type { NewEvent } from '../../core/events.js';
import type { GoalView, TaskView } from '../../core/goal.js';
import { findCycle } from '../../core/graph.js';
import { goalId, taskId } from '../../core/ids.js';
import type { PlannedTask, TaskSpec } from '../../core/plan.js';
import { isFinal } from '../../core/task-state.js';
import { checkPlan, MAX_TASKS } from '../../core/plan-check.js';
import type { z } from 'zod';
import type { goalRequestSchema, growthRequestSchema } from './requests.js';

export interface Numbers {
  readonly goal: number;
  readonly task: number;
}

export function createGoalEvents(
  request: z.output<typeof goalRequestSchema>,
  next: Numbers,
  by: string,
  time: number,
): NewEvent[] {
  const { tasks } = checkPlan({ tasks: request.tasks });
  const envelope = { time, project: request.project, goal: goalId(next.goal), by };
  const { title, priority, key, source } = request;
  return [
    {
      ...envelope,
      event: {
        type: 'goal.created',
        title,
        priority,
        ...(key !== undefined && { key }),
        ...(source !== undefined && { source }),
      },
    },
    {
      ...envelope,
      event: { type: 'goal.planned', tasks: number(tasks, next.task, priority, new Map()) },
    },
  ];
}

/** @throws DroverError `stale-claim`, `conflict` or `bad-plan`; the goal stays as it is. */
export function growEvents(
  request: z.output<typeof growthRequestSchema>,
  goal: GoalView,
  next: Numbers,
  time: number,
): { event: NewEvent; added: Record<string, string> } {
  const adder = goal.tasks.get(request.task);
  if (!adder) throw noTask(request.task);
  if (request.claim < adder.claims || isFinal(adder.state)) {
    throw new DroverError(
      'stale-claim',
      `Claim ${request.claim} of ${request.task} no longer holds the task.`,
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
  const known = new Map([...goal.tasks.values()].map((task) => [task.spec.name, task.spec.id]));
  const { tasks } = checkPlan({ tasks: request.tasks }, new Set(known.keys()));
  const specs = number(tasks, next.task, goal.priority, known);
  if (request.awaited) refuseCycle(goal, adder, specs);
  const { task: addedBy, awaited } = request;
  return {
    event: {
      time,
      project: goal.project,
      goal: goal.id,
      by: addedBy,
      event: { type: 'plan.grown', tasks: specs, addedBy, awaited },
    },
    added: Object.fromEntries(specs.map(({ name, id }) => [name, id])),
  };
}

export function retryEvents(
  goal: GoalView,
  task: TaskView,
  by: string,
  why: string | undefined,
  time: number,
): NewEvent[] {
  if (goal.state === 'CANCELLED') {
    throw new DroverError('conflict', `${goal.id} is cancelled; none of its tasks can be retried.`);
  }
  if (task.state !== 'FAILED') {
    throw new DroverError(
      'conflict',
      `${task.spec.id} is ${task.state}; only a failed task can be retried.`,
      `See \`drover status ${goal.id}\`.`,
    );
  }
  return [
    {
      time,
      project: goal.project,
      goal: goal.id,
      task: task.spec.id,
      by,
      event: { type: 'task.retried', ...(why !== undefined && { why }) },
    },
  ];
}

export function cancelEvents(
  goal: GoalView,
  by: string,
  why: string | undefined,
  time: number,
): NewEvent[] {
  if (goal.state === 'DONE' || goal.state === 'CANCELLED') {
    throw new DroverError('conflict', `${goal.id} is ${goal.state.toLowerCase()} already.`);
  }
  return [
    {
      time,
      project: goal.project,
      goal: goal.id,
      by,
      event: { type: 'goal.cancelled', ...(why !== undefined && { why }) },
    },
  ];
}

export const noGoal = (id: string): DroverError =>
  new DroverError('not-found', `There is no ${id}.`, 'List the goals with `drover goals`.');

export const noTask = (id: string): DroverError =>
  new DroverError(
    'not-found',
    `There is no ${id}.`,
    'List the tasks of a goal with `drover status GOAL`.',
  );

/** Gives planned tasks their ids, and their needs those of the tasks they name. */
function number(
  tasks: readonly PlannedTask[],
  first: number,
  priority: GoalView['priority'],
  known: ReadonlyMap<string, string>,
): TaskSpec[] {
  const ids = new Map(known);
  for (const [index, { name }] of tasks.entries()) ids.set(name, taskId(first + index));
  return tasks.map((task) => ({
    ...task,
    id: ids.get(task.name)!,
    needs: [...new Set(task.needs)].map((need) => ids.get(need)!),
    priority: task.priority ?? priority,
  }));
}

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
