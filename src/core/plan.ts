/**
 * A plan: tasks and their needs, a directed acyclic graph. Planners, flow files and imports all end here, so
 * whatever reads a plan can rely on what this schema promises.
 */
import { z } from 'zod';
import { isEngineQueue, isName, NAME_RULE } from './ids.js';

/** From most to least urgent. */
export const PRIORITIES = ['urgent', 'high', 'normal', 'low'] as const;
export const prioritySchema = z.enum(PRIORITIES);
/** From most to least urgent: `urgent`, `high`, `normal`, `low`. */
export type Priority = z.infer<typeof prioritySchema>;

/** JSON as it goes through Redis and the log. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export const jsonSchema: z.ZodType<Json> = z.json();

export const nameSchema = z.string().refine(isName, { error: `must be ${NAME_RULE}` });

export const capabilitySchema = nameSchema.refine((name) => !isEngineQueue(name), {
  error: 'names a queue of the engine itself; choose another capability',
});

/** Milliseconds; what a timer can hold (about 24 days). */
const milliseconds = z.int().min(0).max(2_147_483_647);

export const backoffSchema = z.strictObject({
  type: z.enum(['fixed', 'exponential']).default('exponential'),
  /** Milliseconds before the first retry. */
  delay: milliseconds.default(1_000),
  /** Part of each delay that is left to chance: 0 none, 1 all of it. */
  jitter: z.number().min(0).max(1).default(0.5),
  /** Milliseconds; no delay is longer. */
  cap: milliseconds.default(60_000),
});
export type Backoff = z.infer<typeof backoffSchema>;

export const retrySchema = z.strictObject({
  /** How often the task may be tried, the first time included. */
  attempts: z.int().min(1).max(1_000).default(3),
  backoff: backoffSchema.default(() => backoffSchema.parse({})),
  /** A failure whose message contains one of these texts, or whose error has it as its name, is final. */
  unless: z.array(z.string().min(1)).default([]),
});

const { attempts, backoff, unless } = retrySchema.shape;

/** What changes about a retry policy: nothing has a default here, because what is not named stays as it is. */
export const retryChangesSchema = z.strictObject({
  attempts: attempts.unwrap().exactOptional(),
  backoff: backoff.unwrap().exactOptional(),
  unless: unless.unwrap().exactOptional(),
});

/** A command that proves a task's work (invariant 7). */
export const checkSchema = z.strictObject(
  {
    run: z.string().min(1),
    /** Milliseconds; 5 minutes unless given. */
    timeout: milliseconds.min(1).default(300_000),
  },
  {
    error: ({ code }) =>
      code === 'invalid_type'
        ? "must be an object with its command: { run: 'npm test' }"
        : undefined,
  },
);

/** What happens where nobody answers in time. */
const approvalDefaultSchema = z.enum(['deny', 'approve']);

/** A person has to agree before the task starts. */
export const approvalSchema = z.union([
  z.literal('before'),
  z.strictObject({
    when: z.literal('before').default('before'),
    /** Milliseconds from the moment in which nothing else keeps the task; no limit unless given. */
    deadline: milliseconds.min(1).optional(),
    /** What the deadline answers. */
    default: approvalDefaultSchema.default('deny'),
  }),
]);
export type Approval = z.infer<typeof approvalSchema>;

/** What a task waits for once its needs are done. */
export const waitSchema = z.union([
  /** A signal of this name to its goal; one that came before counts. */
  z.strictObject({ signal: nameSchema }),
  /** Milliseconds after its needs are done. */
  z.strictObject({ for: milliseconds.min(1) }),
  z.strictObject({ until: z.iso.datetime({ offset: true }) }),
]);
export const concurrencySchema = z.strictObject({
  key: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_./-]{0,199}$/, {
    error: "must be letters, digits, '_', '.', '/' or '-', 200 characters at most",
  }),
  limit: z.int().min(1).max(100_000).default(1),
});

/** What a task is to do; the part of a task that its agent reads. */
export const workSchema = z.strictObject({
  /** A shell command, for agents that run commands. */
  run: z.string().min(1).optional(),
  /** Input for other agents. */
  with: z.record(z.string(), jsonSchema).optional(),
  /** Variables for the command, values in plain sight. */
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).default({}),
  /** Names of variables that the agent passes on from its own environment; their values are redacted. */
  secrets: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)).default([]),
  /** Milliseconds for one attempt; no limit unless given. */
  timeout: milliseconds.min(1).optional(),
  check: checkSchema.optional(),
});

/** What a goal is called, wherever it comes from. */
export const MAX_GOAL_TITLE = 500;
export const goalTitleSchema = z.string().trim().min(1).max(MAX_GOAL_TITLE);

/** What authors call their tasks, and agents their steps. */
export const labelSchema = z
  .string()
  .min(1)
  .max(200)
  // eslint-disable-next-line no-control-regex -- control characters would garble terminals and STATE.yaml
  .regex(/^[^\u0000-\u001f\u007f]*$/, { error: 'must not contain control characters' });

/** A task as planned: named by its author, not yet numbered. */
export const plannedTaskSchema = workSchema.extend({
  /** Unique in its plan. */
  name: labelSchema,
  title: z.string().max(1_000).optional(),
  capability: capabilitySchema,
  /** Names of tasks in the same plan. */
  needs: z.array(z.string()).default([]),
  retry: retrySchema.default(() => retrySchema.parse({})),
  /** The goal goes on without it when it fails. */
  optional: z.boolean().default(false),
  /** The goal's unless given. */
  priority: prioritySchema.optional(),
  /** Milliseconds that an attempt is expected to take; learned from the log unless given. */
  expected: milliseconds.optional(),
  approve: approvalSchema.optional(),
  wait: waitSchema.optional(),
  /** At most so many of the tasks with this key run at once, of whatever goal and project. */
  concurrency: concurrencySchema.optional(),
});
export type PlannedTask = z.infer<typeof plannedTaskSchema>;
/** What authors write: everything with a default may be left out. */
export type PlannedTaskInput = z.input<typeof plannedTaskSchema>;

/**
 * A planned task once the supervisor has numbered it; `needs` are task ids. What it is expected to take is recorded
 * with it, so that whatever is learned later changes nothing about it.
 */
export const taskSpecSchema = plannedTaskSchema.extend({
  id: z.string().regex(/^task-[1-9]\d*$/),
  priority: prioritySchema,
  /** True where `expected` was learned from the log: whoever takes the plan over leaves it out. */
  learned: z.literal(true).optional(),
});
export type TaskSpec = z.infer<typeof taskSpecSchema>;

/** A task as its author planned it, for another goal: without its number, and what the log knew about it. */
export function plannedAs({ id: _id, learned, expected, ...spec }: TaskSpec): Omit<TaskSpec, 'id'> {
  return { ...spec, ...(expected !== undefined && !learned && { expected }) };
}
