/**
 * Writes a plan as a flow file. The text is read back before it is handed out: what it stands for is the plan, or
 * there is no text.
 */
import { isDeepStrictEqual } from 'node:util';
import { Document, stringify } from 'yaml';
import { DroverError, messageOf } from '../core/errors.js';
import type { GoalView } from '../core/goal.js';
import { type Json, plannedAs, type PlannedTask, plannedTaskSchema } from '../core/plan.js';
import { type Flow, parseFlow } from './flow-file.js';

/** The parameter that stands for `$` where a text contains `${{`, which would be a reference. */
const DOLLAR = 'dollar';
const ESCAPED = `\${{ parameters.${DOLLAR} }}{{`;

/**
 * @throws DroverError `conflict` where the plan cannot be said in a flow file, as a task with both `run` and `with`
 */
export function exportFlow(flow: Flow): string {
  let tasks: PlannedTask[];
  let text: string;
  let read: Flow;
  try {
    // Parsed, their keys stand in one order, whichever way the plan came: the same plan is the same text.
    tasks = flow.tasks.map((task) => plannedTaskSchema.parse(completed(task)));
    text = render({ ...flow, tasks });
    read = parseFlow(text, { file: 'the flow file' }).flow;
  } catch (error) {
    throw unsayable(messageOf(error).replace(/\.$/, ''), error);
  }
  // Without what is undefined, which is no difference.
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  const same = isDeepStrictEqual(plain(read), plain({ ...flow, tasks }));
  if (!same) throw unsayable('it would be read as another plan');
  return text;
}

/** The plan of a goal as it stands now, added tasks included, whatever has been done of it. */
export function flowOfGoal({ title, project, priority, approve, tasks }: GoalView): Flow {
  const names = new Map([...tasks.values()].map(({ spec }) => [spec.id, spec.name]));
  return {
    title,
    project,
    priority,
    ...(approve !== null && { approve }),
    tasks: [...tasks.values()].map(({ spec }) => {
      const { priority: own, needs, ...planned } = plannedAs(spec);
      return {
        ...planned,
        needs: needs.map((need) => names.get(need)!),
        ...(own !== priority && { priority: own }),
      };
    }),
  };
}

/** A flow file says what is to be done in one way; a task of code may say nothing. */
function completed(task: PlannedTask): PlannedTask {
  return task.run === undefined && task.with === undefined ? { ...task, with: {} } : task;
}

function render({ title, project, priority, approve, tasks }: Flow): string {
  const written = new Map(tasks.map((task) => [task.name, writtenTask(task)]));
  const plan = {
    name: escaped(title),
    ...(project !== undefined && { project }),
    ...(priority !== 'normal' && { priority }),
    ...(approve !== undefined && { approve }),
  };
  const body = stringify(
    { ...plan, tasks: written },
    { lineWidth: 100, aliasDuplicateObjects: false },
  );
  if (!body.includes(ESCAPED)) return body;
  const declared = new Document({
    parameters: {
      [DOLLAR]: { default: '$', description: 'Stands for $ where a text contains ${{.' },
    },
  });
  return `${declared.toString()}${body}`;
}

/** What differs from the defaults, in the words of a flow file. */
function writtenTask({ name, ...task }: PlannedTask): Record<string, Json> {
  const defaults: Readonly<Record<string, unknown>> = plannedTaskSchema.parse({
    name,
    capability: task.capability,
  });
  const { capability, title, needs, ...rest } = task;
  const ordered = { title, needs, ...rest };
  const entries = Object.entries(ordered).filter(
    ([key, value]) => value !== undefined && !isDeepStrictEqual(value, defaults[key]),
  );
  const implied = capability === 'shell' && task.run !== undefined;
  return {
    ...(!implied && { capability }),
    // Everything in a plan is JSON.
    ...(escaped(Object.fromEntries(entries)) as Record<string, Json>),
  };
}

/** A value whose strings mean themselves; keys are never taken for references. */
function escaped<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll('${{', ESCAPED) as T;
  if (Array.isArray(value)) return value.map((item) => escaped(item as unknown)) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, escaped(item as unknown)]),
  ) as T;
}

const unsayable = (why: string, cause?: unknown): DroverError =>
  new DroverError(
    'conflict',
    `The plan cannot be written as a flow file: ${why}.`,
    'Change the tasks that are named, or export the log instead (`drover log export`).',
    { cause },
  );
