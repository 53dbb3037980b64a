/** What changes about a task, as `drover edit` and `drover rerun` take it. */
import { DroverError, messageOf } from '../core/errors.js';
import { type AskedChanges, askedChangesSchema } from '../core/events.js';
import { PRIORITIES, type Json } from '../core/plan.js';
import { wholeNumber } from './arguments.js';
import { readChoices } from './flow.js';

export const CHANGE_ARGS = {
  title: { type: 'string', valueHint: 'TEXT', description: 'What the task is, for people' },
  run: { type: 'string', valueHint: 'COMMAND', description: 'Another shell command' },
  with: { type: 'string', valueHint: 'JSON', description: 'Another input for its agent' },
  attempts: { type: 'string', valueHint: 'N', description: 'How often it may be tried' },
  priority: {
    type: 'string',
    valueHint: PRIORITIES.join('|'),
    description: 'How urgent the task is',
  },
} as const;

type ChangeValues = { readonly [K in keyof typeof CHANGE_ARGS]: string | undefined };

/** @throws DroverError `bad-input` */
export function readChanges({
  title,
  run,
  with: input,
  attempts,
  priority,
}: ChangeValues): AskedChanges {
  const tries = wholeNumber('attempts', attempts, [1, 1_000]);
  const written = {
    ...(title !== undefined && { title }),
    ...(run !== undefined && { run }),
    ...(input !== undefined && { with: readJson('with', input) }),
    ...(tries !== undefined && { retry: { attempts: tries } }),
    ...readChoices({ project: undefined, priority }),
  };
  const parsed = askedChangesSchema.safeParse(written);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new DroverError(
    'bad-input',
    `--${path.join('.')} cannot be used: ${message}.`,
    path[0] === 'with' ? 'Write a JSON object, as in --with \'{"branch": "main"}\'.' : undefined,
  );
}

/** @throws DroverError `bad-input` */
export function readJson(option: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new DroverError(
      'bad-input',
      `--${option} is no JSON: ${messageOf(error)}.`,
      `Write for instance --${option} '{"version": 2}'.`,
    );
  }
}
