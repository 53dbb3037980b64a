/** What people and programs may ask of the supervisor; the same shapes in code, on the queue and on the wire. */
import { z } from 'zod';
import { nameSchema, planSchema, plannedTaskSchema, prioritySchema } from '../../core/plan.js';

const goalIdSchema = z
  .string()
  .regex(/^goal-[1-9]\d*$/, { error: 'must be a goal such as goal-7' });
const taskIdSchema = z
  .string()
  .regex(/^task-[1-9]\d*$/, { error: 'must be a task such as task-123' });

/** Longest title, characters. */
const MAX_TITLE = 500;

export const goalRequestSchema = z.strictObject({
  title: z.string().trim().min(1).max(MAX_TITLE),
  /** The project it belongs to; `default` unless given. */
  project: nameSchema.default('default'),
  priority: prioritySchema.default('normal'),
  /** A second request with the same key in the same project is the first one again. */
  key: z.string().min(1).max(200).optional(),
  /** The file the plan came from. */
  source: z.string().max(1_000).optional(),
  tasks: planSchema.shape.tasks,
});
export type GoalRequest = z.input<typeof goalRequestSchema>;

export const cancelRequestSchema = z.strictObject({
  goal: goalIdSchema,
  why: z.string().optional(),
});
export const retryRequestSchema = z.strictObject({
  task: taskIdSchema,
  why: z.string().optional(),
});

export const growthRequestSchema = z.strictObject({
  goal: goalIdSchema,
  task: taskIdSchema,
  claim: z.int().min(1),
  call: z.int().min(1),
  awaited: z.boolean(),
  tasks: z.array(plannedTaskSchema).min(1),
});

/** What `enqueue` answers. */
export interface Enqueued {
  readonly goal: string;
  /** False where a goal with the same key was there already. */
  readonly created: boolean;
  /** Task ids by name. */
  readonly tasks: Readonly<Record<string, string>>;
  /** Capabilities of the plan that no running agent offers at the moment. */
  readonly waitingFor: readonly string[];
}
