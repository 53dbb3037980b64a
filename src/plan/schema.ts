/**
 * A flow file as it is written. The schema says what each key may hold; what only the whole file can tell
 * (needs, references, cycles) is checked by `parseFlow`. The descriptions are shown by editors and in remedies.
 */
import { z } from 'zod';
import {
  backoffSchema,
  capabilitySchema,
  concurrencySchema,
  goalTitleSchema,
  nameSchema,
  plannedTaskSchema,
  prioritySchema,
  retrySchema,
  workSchema,
} from '../core/plan.js';
import { DURATION_RULE, durationSchema } from './duration.js';

/** Text; numbers and booleans stand for what is written in the file. */
const textSchema = z.union([z.string(), z.number(), z.boolean()]);
export type Text = z.infer<typeof textSchema>;

const duration = (description: string) =>
  durationSchema.optional().meta({ description: `${description} Written as ${DURATION_RULE}.` });

const parameterType = z.enum(['string', 'number', 'boolean']);
export type ParameterType = z.infer<typeof parameterType>;

const declarationSchema = z.strictObject({
  default: textSchema
    .optional()
    .meta({ description: 'The value where none is given; without it the parameter is required.' }),
  description: z.string().optional().meta({ description: 'What the parameter is for.' }),
  type: parameterType.default('string').meta({
    description:
      'What a value must be. In `with`, a string that is only the reference becomes a value of this type.',
  }),
});

export const parameterSchema = z.union([textSchema, z.null(), declarationSchema]);
export type Parameter = z.infer<typeof parameterSchema>;

export const needsSchema = z.union([textSchema, z.array(textSchema)]);

export const matrixSchema = z
  .record(nameSchema, z.array(textSchema).min(1))
  .refine((matrix) => Object.keys(matrix).length > 0, { error: 'has no variables' });

const checkSchema = z.strictObject({
  run: z.string().min(1).meta({ description: 'A shell command; status 0 is proof.' }),
  timeout: duration('Limit for the check; 5 minutes unless given.'),
});

const writtenBackoffSchema = z.strictObject({
  type: backoffSchema.shape.type.meta({
    description: 'fixed: always the same delay; exponential: twice as long each time.',
  }),
  delay: duration('Wait before the first retry; 1 second unless given.'),
  jitter: backoffSchema.shape.jitter.meta({
    description: 'Part of each delay that is left to chance, from 0 (none) to 1 (all of it).',
  }),
  cap: duration('No delay is longer; 1 minute unless given.'),
});

/** A retry policy as people write it, in a flow file and on the command line. */
export const writtenRetrySchema = z.strictObject({
  attempts: retrySchema.shape.attempts.meta({
    description: 'How often the task may be tried, the first time included.',
  }),
  backoff: writtenBackoffSchema
    .optional()
    .meta({ description: 'Waits between attempts: type, delay, jitter and cap.' }),
  unless: retrySchema.shape.unless.meta({
    description:
      'Errors not to retry: a list of texts found in the message, or of names of errors.',
  }),
});

const writtenConcurrencySchema = z.strictObject({
  key: z.string().min(1).meta({ description: 'What they share, such as db-migrations.' }),
  limit: concurrencySchema.shape.limit.meta({ description: 'How many at once; 1 unless given.' }),
});

const approvalMapSchema = z.strictObject({
  when: z.literal('before').default('before').meta({ description: 'Before the task starts.' }),
  deadline: duration('How long a person may take once nothing else keeps the task.'),
  default: z
    .enum(['deny', 'approve'])
    .default('deny')
    .meta({ description: 'What the deadline answers; deny unless given.' }),
});

const writtenApprovalSchema = z.union([z.literal('before'), approvalMapSchema]);

const waitMapSchema = z.strictObject({
  signal: nameSchema.optional().meta({
    description: 'Name of a signal to the goal; one that came before counts.',
  }),
  for: duration('How long to wait once the needs are done.'),
  until: z.iso
    .datetime({ offset: true })
    .optional()
    .meta({ description: 'When to start at the earliest, as in 2026-03-01T08:00:00Z.' }),
});

const writtenWaitSchema = waitMapSchema.refine(
  (wait) => Object.values(wait).filter((value) => value !== undefined).length === 1,
  {
    error: 'must have one of signal, for and until',
  },
);

/** With a reference in it, the name is checked once that is replaced. */
const writtenCapabilitySchema = z.string().superRefine((name, context) => {
  if (name.includes('${{')) return;
  const { error } = capabilitySchema.safeParse(name);
  for (const { message } of error?.issues ?? []) context.addIssue(message);
});

export const taskSchema = z
  .strictObject({
    title: plannedTaskSchema.shape.title.meta({ description: 'What the task is, for people.' }),
    needs: needsSchema.optional().meta({
      description:
        'The task that must be done first, or a list of them. A task with a matrix stands for all its variants.',
    }),
    capability: writtenCapabilitySchema.optional().meta({
      description: 'The skill an agent must have. `shell` unless given, where there is a `run`.',
    }),
    run: workSchema.shape.run.meta({
      description:
        'A shell command. References are inserted as they are: pass text you do not trust through `env`.',
    }),
    with: workSchema.shape.with.meta({
      description: 'A map of input for agents other than shell.',
    }),
    env: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), textSchema)
      .optional()
      .meta({
        description: "A map of variables for the command: letters, digits and '_' in each name.",
      }),
    secrets: workSchema.shape.secrets.meta({
      description:
        'A list of the variables that the agent passes on from its own environment; their values are redacted.',
    }),
    timeout: duration('Limit for one attempt; none unless given.'),
    retry: writtenRetrySchema
      .optional()
      .meta({ description: 'A map of attempts, backoff and unless; 3 attempts unless given.' }),
    check: z
      .union([z.string().min(1), checkSchema])
      .optional()
      .meta({ description: 'A shell command that proves the work, or a map of run and timeout.' }),
    optional: plannedTaskSchema.shape.optional.meta({
      description: 'With true, the goal goes on without the task when it fails.',
    }),
    priority: prioritySchema
      .optional()
      .meta({ description: "urgent, high, normal or low; the goal's unless given." }),
    expected: duration(
      'How long an attempt is expected to take: the longest way through the plan goes first; learned from the log unless given.',
    ),
    concurrency: writtenConcurrencySchema.optional().meta({
      description:
        'A map of key and limit: at most so many of the tasks with the same key run at once, of whatever goal and project.',
    }),
    approve: writtenApprovalSchema.optional().meta({
      description:
        'before: a person has to agree before the task starts; or a map of deadline and default.',
    }),
    wait: writtenWaitSchema.optional().meta({
      description: 'What the task waits for besides its needs: a map of signal, for or until.',
    }),
    matrix: matrixSchema.optional().meta({
      description:
        'A map of variables, each with a list of values. The task runs once for every combination; `${{ matrix.NAME }}` stands for the value.',
    }),
  })
  .meta({
    description:
      'A map that says what to do: `run`, or `capability` and `with`; and `needs`, `check` and the like.',
  });
export type WrittenTask = z.infer<typeof taskSchema>;

export const flowSchema = z
  .strictObject({
    name: goalTitleSchema.meta({ description: "The goal's title." }),
    project: nameSchema
      .optional()
      .meta({ description: 'The project the goal belongs to; the caller decides unless given.' }),
    priority: prioritySchema
      .default('normal')
      .meta({ description: 'How urgent the goal is: urgent, high, normal or low.' }),
    approve: writtenApprovalSchema.optional().meta({
      description:
        'before: a person has to agree before the plan starts; or a map of deadline and default.',
    }),
    parameters: z.record(nameSchema, parameterSchema).optional().meta({
      description:
        'A map of values to be given at the start, each with its default or with a map of default, description and type. `${{ parameters.NAME }}` stands for the value in strings of tasks.',
    }),
    tasks: z
      .record(z.string(), taskSchema)
      .refine((tasks) => Object.keys(tasks).length > 0, { error: 'has no tasks' })
      .meta({ description: 'A map of task ids to tasks.' }),
  })
  .meta({ title: 'Drover flow', description: 'A plan of tasks and their needs.' });

/** The keys of every map in a flow file, by place; `*` is a name that the author chose. */
export const SHAPES: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
  '': flowSchema.shape,
  'parameters.*': declarationSchema.shape,
  'tasks.*': taskSchema.shape,
  'tasks.*.retry': writtenRetrySchema.shape,
  'tasks.*.retry.backoff': writtenBackoffSchema.shape,
  'tasks.*.check': checkSchema.shape,
  'tasks.*.concurrency': writtenConcurrencySchema.shape,
  'tasks.*.approve': approvalMapSchema.shape,
  'tasks.*.wait': waitMapSchema.shape,
  approve: approvalMapSchema.shape,
};

/** What stands behind names that the author chose. */
export const ENTRIES: Readonly<Record<string, z.ZodType>> = { 'tasks.*': taskSchema };
