/** `enqueue`: a goal with its plan. */
import { z } from 'zod';
import { goalId } from '../../core/ids.js';
import {
  approvalSchema,
  goalTitleSchema,
  nameSchema,
  plannedTaskSchema,
  prioritySchema,
} from '../../core/plan.js';
import { checkPlan } from '../../core/plan-check.js';
import { numberTasks } from './number.js';
import { type Decision, defineRule } from './rule.js';

export const goalRequestSchema = z.strictObject({
  title: goalTitleSchema,
  /** The project it belongs to; `default` unless given. */
  project: nameSchema.default('default'),
  priority: prioritySchema.default('normal'),
  /** A second request with the same key in the same project is the first one again. */
  key: z.string().min(1).max(200).optional(),
  /** The file the plan came from. */
  source: z.string().max(1_000).optional(),
  /** A person has to agree before the plan starts. */
  approve: approvalSchema.optional(),
  tasks: z.array(plannedTaskSchema),
});
export type GoalRequest = z.input<typeof goalRequestSchema>;

interface EnqueueDecision extends Decision {
  /** False where a goal with the same key was there already. */
  readonly created: boolean;
}

/** What `enqueue` answers. */
export interface Enqueued extends EnqueueDecision {
  /** Task ids by name. */
  readonly tasks: Readonly<Record<string, string>>;
  /** Capabilities of the plan that no running agent offers at the moment. */
  readonly waitingFor: readonly string[];
}

export const enqueueRule = defineRule({
  schema: goalRequestSchema,
  decide(request, { by, now, next, goalWithKey, expectIn }) {
    const { project, title, priority, key, source, approve, tasks } = request;
    const existing = key === undefined ? undefined : goalWithKey(project, key);
    if (existing !== undefined) {
      return { events: [], decision: { goal: existing, created: false } };
    }
    checkPlan(tasks);
    const numbers = next();
    const goal = goalId(numbers.goal);
    const expect = expectIn({ project, title, source: source ?? null });
    const envelope = { time: now, project, goal, by };
    return {
      events: [
        {
          ...envelope,
          event: {
            type: 'goal.created',
            title,
            priority,
            ...(key !== undefined && { key }),
            ...(source !== undefined && { source }),
            ...(approve !== undefined && { approve }),
          },
        },
        {
          ...envelope,
          event: {
            type: 'goal.planned',
            tasks: numberTasks(tasks, numbers.task, priority, expect),
          },
        },
      ],
      decision: { goal, created: true },
    };
  },
});
