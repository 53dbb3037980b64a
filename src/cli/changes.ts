/** What changes about a task, as `drover edit` and `drover rerun` take it. */
import { parse } from 'yaml';
import { DroverError, messageOf } from '../core/errors.js';
import { type AskedChanges, askedChangesSchema } from '../core/events.js';
import { PRIORITIES, type Json } from '../core/plan.js';
import { complaint } from '../plan/issues.js';
import { writtenRetrySchema } from '../plan/schema.js';
import { readChoices } from './flow.js';

export const CHANGE_ARGS = {
  title: { type: 'string', valueHint: 'TEXT', description: 'What the task is, for people' },
  run: { type: 'string', valueHint: 'COMMAND', description: 'Another shell command' },
  with: { type: 'string', valueHint: 'JSON', description: 'Another input for its agent' },
  retry: {
    type: 'string',
    valueHint: 'YAML',
    description:
      'What changes about its retries, as in a flow file: {attempts: 5, backoff: {type: fixed, delay: 10s}}',
  },
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
  retry,
  priority,
}: ChangeValues): AskedChanges {
  const written = {
    ...(title !== undefined && { title }),
    ...(run !== undefined && { run }),
    ...(input !== undefined && { with: readJson('with', input) }),
    ...(retry !== undefined && { retry: readRetry(retry) }),
    ...readChoices({ project: undefined, priority }),
  };
  const parsed = askedChangesSchema.safeParse(written, { reportInput: true });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const { path } = issue;
  throw new DroverError(
    'bad-input',
    `--${path.join('.')} cannot be used: it ${complaint(issue)}.`,
    path[0] === 'with' ? 'Write a JSON object, as in --with \'{"branch": "main"}\'.' : undefined,
  );
}

/** What is named, and nothing by default: the rest of the policy stays as it is. */
function readRetry(text: string): unknown {
  const refused = (why: string): DroverError =>
    new DroverError(
      'bad-input',
      `--retry cannot be used: ${why}.`,
      "Write what changes, as in --retry '{attempts: 5, backoff: {type: fixed, delay: 10s}}'.",
    );
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    // The first line says where; a quotation of the text would follow.
    throw refused(messageOf(error).split('\n')[0]!.replace(/:$/, ''));
  }
  const written = writtenRetrySchema.safeParse(value, { reportInput: true });
  if (!written.success) {
    const found = written.error.issues.map(
      (issue) => `${issue.path.join('.') || 'it'} ${complaint(issue)}`,
    );
    throw refused(found.join('; '));
  }
  const named = Object.entries(written.data).filter(([key]) => Object.hasOwn(value as object, key));
  if (named.length === 0) throw refused('it names nothing');
  return Object.fromEntries(named);
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
