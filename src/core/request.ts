/**
 * What is handed in from code becomes JSON here, before Redis, threads or the log have to do with it: each of them
 * would refuse, or change, other values in words of its own.
 */
import { DroverError } from './errors.js';
import { jsonOf, NotJson } from './json.js';
import type { Json } from './plan.js';
import { MAX_PLAN_BYTES } from './plan-check.js';

/**
 * The request as JSON.
 * @throws DroverError `bad-input` for what is no JSON, `too-large`; both name the task and the field
 */
export function requestJson(request: unknown): Json {
  let json: Json;
  try {
    json = jsonOf(request);
  } catch (error) {
    throw error instanceof NotJson ? notJson(error, request) : error;
  }
  if (sizeOf(json) > MAX_PLAN_BYTES) throw tooLarge(json);
  return json;
}

function notJson(error: NotJson, request: unknown): DroverError {
  // A schedule has them in its goal.
  const at = error.path[0] === 'goal' ? 2 : 1;
  const inTask = error.path[at - 1] === 'tasks' && error.path.length > at;
  if (!inTask) return error.refusal('The request');
  let task = request;
  for (const key of error.path.slice(0, at + 1)) task = fieldsOf(task)[key];
  return error.refusal(nameOf(task, Number(error.path[at])), error.path.slice(at + 1));
}

function tooLarge(request: Json): DroverError {
  let [key, part] = largestOf(request);
  if (key === 'goal') [key, part] = largestOf(part);
  let where = `‘${key}’`;
  if (key === 'tasks') {
    const [index, task] = largestOf(part);
    const [field] = largestOf(task);
    const named = nameOf(task, Number(index), 'task');
    where = field === '' ? named : `‘${field}’ of ${named}`;
  }
  return new DroverError(
    'too-large',
    `The request has more than ${MAX_PLAN_BYTES / 1024 / 1024} MiB of JSON; the largest part is ${where}.`,
    'Write large data to files and hand on their paths, or make several goals of it.',
  );
}

/** The largest of its parts, with its key. */
function largestOf(value: unknown): [key: string, part: unknown] {
  const parts = Object.entries(fieldsOf(value));
  const sizes = parts.map(([, part]) => sizeOf(part));
  return parts[sizes.indexOf(Math.max(...sizes))] ?? ['', undefined];
}

/** Bytes of its JSON. */
function sizeOf(json: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(json));
  } catch {
    // More than a text can hold.
    return Infinity;
  }
}

const fieldsOf = (value: unknown): Readonly<Record<PropertyKey, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>) : {};

function nameOf(task: unknown, index: number, word = 'Task'): string {
  const { name } = fieldsOf(task);
  return typeof name === 'string' && name !== ''
    ? `${word} ‘${name.slice(0, 80)}’`
    : `${word} ${index + 1}`;
}
