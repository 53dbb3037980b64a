/** `rerun`: a task begins again with everything that builds on it, in its goal or in a fork of it. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { askedChangesSchema, type TaskChanges } from '../../core/events.js';
import type { NewEvent } from '../../core/events.js';
import type { GoalView, TaskView } from '../../core/goal.js';
import { goalId } from '../../core/ids.js';
import { plannedAs, type PlannedTask } from '../../core/plan.js';
import { changesTo } from './changes.js';
import { numberTasks } from './number.js';
import {
  because,
  type Decided,
  type Decision,
  defineRule,
  eventOn,
  type Situation,
  taskIdSchema,
  whySchema,
} from './rule.js';

export interface RerunDecision extends Decision {
  /** The task that begins again; in a fork, its counterpart. */
  readonly task: string;
  /** All tasks that do. */
  readonly tasks: readonly string[];
}

export const rerunRule = defineRule({
  schema: z.strictObject({
    task: taskIdSchema,
    /** What changes about the task. */
    changes: askedChangesSchema.default({}),
    /** A goal of its own that shares what was finished and signalled, and in which what was given up stays so. */
    fork: z.boolean().default(false),
    /** Finished steps do not run again. */
    keepSteps: z.boolean().default(false),
    /** A second request with the same key is the first one again. */
    key: z.string().min(1).max(200).optional(),
    why: whySchema,
  }),
  idOf: ({ task, key }) => (key === undefined ? undefined : `${task}.rerun.${key}`),
  decide(request, situation): Decided<RerunDecision> {
    const { goal, task } = situation.task(request.task);
    if (task.claims === 0 && (task.state === 'BACKLOG' || task.state === 'PENDING')) {
      throw new DroverError(
        'conflict',
        `${request.task} has not begun.`,
        `Change it with \`drover edit ${request.task}\`.`,
      );
    }
    const changes = changesTo(task.spec, request.changes);
    const { fork, keepSteps, why } = request;
    if (fork) return forkOf(goal, task, changes, why, situation);
    const tasks = withDescendants(goal, [request.task]);
    const events = reopenEvents(goal, tasks, { changes, keepSteps, why }, situation);
    return { events, decision: { goal: goal.id, task: request.task, tasks } };
  },
});

export interface ReopenOptions {
  readonly why?: string | undefined;
  readonly keepSteps?: boolean;
  /** What changes about the first of the tasks. */
  readonly changes?: TaskChanges;
}

/**
 * Lets tasks begin again.
 * @param tasks with everything that builds on them (`withDescendants`)
 * @throws DroverError `conflict` where the goal is cancelled
 */
export function reopenEvents(
  goal: GoalView,
  tasks: readonly string[],
  { why, keepSteps = false, changes = {} }: ReopenOptions,
  situation: Pick<Situation, 'by' | 'now'>,
): NewEvent[] {
  if (goal.state === 'CANCELLED') {
    throw new DroverError(
      'conflict',
      `${goal.id} is cancelled; its tasks cannot begin again.`,
      'Run the task again in a fork (--fork), which is a new goal.',
    );
  }
  return [
    eventOn(goal, situation, {
      type: 'tasks.reopened',
      tasks: [...tasks],
      ...(keepSteps && { keepSteps }),
      ...(Object.keys(changes).length > 0 && { changes }),
      ...because(why),
    }),
  ];
}

/** The tasks, then everything that builds on them. */
export function withDescendants(goal: GoalView, tasks: readonly string[]): string[] {
  const all = new Set(tasks);
  for (const id of all) for (const dependent of goal.dependents.get(id)!) all.add(dependent);
  return [...all];
}

function forkOf(
  goal: GoalView,
  from: TaskView,
  changes: TaskChanges,
  why: string | undefined,
  { by, now, next, expectIn }: Situation,
): Decided<RerunDecision> {
  const again = new Set(withDescendants(goal, [from.spec.id]));
  // What a task adds while it runs it will add again.
  const dropped = new Set(
    [...again].flatMap((id) => {
      const task = goal.tasks.get(id)!;
      const added = task.spec.needs.filter((need) => goal.tasks.get(need)!.batch > task.batch);
      return added.map((need) => goal.tasks.get(need)!.batch);
    }),
  );
  const kept = [...goal.tasks.values()].filter(
    ({ spec, batch }) => spec.id === from.spec.id || !dropped.has(batch),
  );
  const ids = new Set(kept.map(({ spec }) => spec.id));
  const numbers = next();
  const nameOf = (id: string): string => goal.tasks.get(id)!.spec.name;
  const planned = kept.map(({ spec }): PlannedTask => {
    const needs = spec.needs.filter((need) => ids.has(need)).map(nameOf);
    return { ...plannedAs(spec), ...(spec.id === from.spec.id && changes), needs };
  });
  const specs = numberTasks(planned, numbers.task, goal.priority, expectIn(goal));
  const counterpart = new Map(kept.map(({ spec }, index) => [spec.id, specs[index]!.id]));
  const shared = kept.filter(({ spec, state }) => !again.has(spec.id) && state === 'DONE');
  // What was given up is given up in the fork as well, and who went on without it does so there too.
  const givenUp = kept.filter(({ spec, state }) => !again.has(spec.id) && state === 'CANCELLED');
  const skipped = givenUp.filter(({ released }) => released);
  // Of a goal that was cancelled as a whole everything begins that is not done.
  const cancelled = goal.state === 'CANCELLED' ? [] : givenUp.filter(({ released }) => !released);
  const fork = goalId(numbers.goal);
  const envelope = { time: now, project: goal.project, goal: fork, by };
  const { title, priority, source, approve } = goal;
  return {
    events: [
      {
        ...envelope,
        event: {
          type: 'goal.created',
          title,
          priority,
          forkOf: { goal: goal.id, task: from.spec.id },
          ...because(why),
          ...(source !== null && { source }),
          // What was approved once needs no second word; what never began does.
          ...(approve !== null && shared.length === 0 && { approve }),
        },
      },
      { ...envelope, event: { type: 'goal.planned', tasks: specs } },
      {
        ...envelope,
        event: {
          type: 'tasks.inherited',
          from: goal.id,
          tasks: shared.map(({ spec, result }) => ({
            task: counterpart.get(spec.id)!,
            of: spec.id,
            result,
          })),
        },
      },
      ...skipped.map(({ spec }) => ({
        ...envelope,
        task: counterpart.get(spec.id)!,
        event: { type: 'task.skipped', why: `as ${spec.id} of ${goal.id}` } as const,
      })),
      ...cancelled.map(({ spec }) => ({
        ...envelope,
        event: {
          type: 'tasks.cancelled' as const,
          tasks: [counterpart.get(spec.id)!],
          why: `as ${spec.id} of ${goal.id}`,
        },
      })),
      ...Object.entries(goal.signals).map(([name, data]) => ({
        ...envelope,
        event: { type: 'goal.signalled', name, data } as const,
      })),
    ],
    decision: {
      goal: fork,
      task: counterpart.get(from.spec.id)!,
      tasks: [...again].flatMap((id) => counterpart.get(id) ?? []),
    },
  };
}
