/**
 * STATE.yaml as text, and back. People read it and may comment it; the log is what counts.
 *
 * Invariants kept here: 1 (the text is computed from the fold alone; of an earlier text only comments are
 * taken over), 8 (a comment outlives the key it stood at: it moves up to what is left).
 */
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { DroverError } from '../core/errors.js';
import { anchor, commentsOf } from './state-comments.js';
import { type Comments, HEADER, readLines, type Value, valueText } from './state-lines.js';
import { type GoalEntry, type StateFile, stateFileSchema, type TaskEntry } from './state-schema.js';

export const STATE_FILE = 'STATE.yaml';

/**
 * The file's text. The same input gives the same text, also with that text as `previous`.
 * @param previous the text whose comments are kept, or its comments, which then become those of the new text
 */
export function renderState(
  { project, seq, goals }: Omit<StateFile, 'version'>,
  previous: string | Comments = '',
): string {
  const comments = typeof previous === 'string' ? commentsOf(previous) : previous;
  anchor(comments, goals);
  const lines = [...HEADER];
  if (comments.get('version')?.before.length) lines.push('');
  const write = writer(lines, comments);
  write(0, 'version', 'version: 1');
  write(0, 'project', `project: ${valueText(project)}`);
  write(0, 'seq', `seq: ${seq}`);
  lines.push('');
  const entries = Object.entries(goals);
  write(0, 'goals', entries.length > 0 ? 'goals:' : 'goals: {}');
  const commented = new Set([...comments.keys()].map((path) => path.split('/')[3]));
  for (const [id, goal] of entries) {
    const path = `goals/${id}`;
    if (!goal.tasks) {
      write(1, path, `${id}: ${onOneLine(goal)}`);
      continue;
    }
    lines.push('');
    write(1, path, `${id}:`);
    writeEntry(write, 2, path, goal);
    write(2, `${path}/tasks`, 'tasks:');
    for (const [task, entry] of Object.entries(goal.tasks)) {
      if (commented.has(task)) writeTask(write, `${path}/tasks`, task, entry);
      else lines.push(plainTask(task, entry));
    }
  }
  const atEnd = comments.get('')?.before;
  if (atEnd) lines.push('', ...atEnd);
  return `${lines.join('\n')}\n`;
}

type Write = (depth: number, path: string, text: string) => void;

/** Adds a line together with the comments at its key. */
function writer(lines: string[], comments: Comments): Write {
  return (depth, path, text) => {
    const indent = '  '.repeat(depth);
    const own = comments.get(path);
    for (const line of own?.before ?? []) lines.push(line && indent + line);
    lines.push(indent + (own?.inline ? `${text} ${own.inline}` : text));
    for (const line of own?.after ?? []) lines.push(line && indent + line);
  };
}

function writeTask(write: Write, parent: string, id: string, entry: TaskEntry): void {
  write(3, `${parent}/${id}`, `${id}:`);
  writeEntry(write, 4, `${parent}/${id}`, entry);
}

function writeEntry(write: Write, depth: number, path: string, entry: GoalEntry | TaskEntry): void {
  for (const [key, value] of Object.entries(entry)) {
    if (key !== 'tasks') write(depth, `${path}/${key}`, `${key}: ${valueText(value as Value)}`);
  }
}

const NO_COMMENTS: Comments = new Map();
const plainTasks = new WeakMap<TaskEntry, string>();

/** A task without comments. Entries never change, so the text of one that stays is made once: see `describeGoal`. */
function plainTask(id: string, entry: TaskEntry): string {
  const known = plainTasks.get(entry);
  if (known !== undefined) return known;
  const lines: string[] = [];
  writeTask(writer(lines, NO_COMMENTS), '', id, entry);
  const text = lines.join('\n');
  plainTasks.set(entry, text);
  return text;
}

/**
 * What a STATE.yaml says.
 * @throws DroverError `bad-input` where it is no YAML, or not of this shape.
 */
export function parseState(text: string): StateFile {
  const parsed = stateFileSchema.safeParse(readLines(text)?.data ?? parseYaml(text));
  if (parsed.success) return parsed.data;
  throw damaged(z.prettifyError(parsed.error).slice(0, 1_000));
}

/** Whether two texts say the same, but for the event up to which the log was read. */
export function saySame(a: string, b: string): boolean {
  const seq = /^seq: \d+$/m;
  return a === b || a.replace(seq, '') === b.replace(seq, '');
}

function parseYaml(text: string): unknown {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error) throw damaged(error.message);
  try {
    return document.toJS();
  } catch (cause) {
    throw damaged(String(cause));
  }
}

const damaged = (what: string): DroverError =>
  new DroverError(
    'bad-input',
    `${STATE_FILE} is damaged: ${what}`,
    'Drover keeps the damaged text beside it and writes the file anew from the log.',
  );

const onOneLine = (entry: GoalEntry): string =>
  `{ ${Object.entries(entry)
    .map(([key, value]) => `${key}: ${valueText(value as Value, true)}`)
    .join(', ')} }`;
