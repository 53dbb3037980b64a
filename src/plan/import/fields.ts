/** Reading values that other programs wrote, which are often nearly what their format says. */
import { z } from 'zod';
import type { Json, Priority } from '../../core/plan.js';
import type { Finding, State } from './item.js';

/** An id as a number or as text. */
export const idSchema = z
  .union([z.string().trim().min(1), z.number()], {
    error: ({ input }) => (input === undefined ? 'is missing' : 'must be text or a number'),
  })
  .transform(String);

/** Text that may be missing, in any of the ways in which programs leave it out. */
export const textSchema = z
  .string()
  .nullish()
  .transform((text) => (text?.trim() ? text : undefined));

/** A list that may be missing. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((list) => list ?? []);

/** An id that may be missing, or say nothing. */
export const ownIdSchema = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((id) => (id == null ? undefined : String(id).trim() || undefined));

/** On one line, without control characters; names and titles are printed. */
export const oneLine = (text: string): string =>
  text
    // eslint-disable-next-line no-control-regex -- they would garble terminals and STATE.yaml
    .replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ')
    .trim();

/** Characters of a task's name. */
export const MAX_NAME = 200;

/** The name of the task that an id stands for. */
export const nameFrom = (id: string): string => oneLine(id).slice(0, MAX_NAME) || 'unnamed';

/** Text of a file within a message. */
export const quoted = (text: string): string => `‘${oneLine(text).slice(0, 80)}’`;

/** The entries that have a value, as input for an agent. */
export function inputOf(entries: Readonly<Record<string, unknown>>): Record<string, Json> {
  const kept = Object.entries(entries).filter(
    ([, value]) =>
      value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0),
  );
  // Everything an importer reads comes from JSON or YAML.
  return Object.fromEntries(kept) as Record<string, Json>;
}

/** A state word as its format knows it: `In Progress`, `in-progress` and `in_progress` are one. */
export const stateWord = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replace(/[\s_]+/g, '-');

/** What a word of a format says of work; `dropped` that nobody wants it any more. */
type KnownState = 'open' | 'done' | 'dropped' | 'restart' | 'later';

/** Reads a state; one that is not known counts as open, because work must not get lost. */
export function readState(
  text: string | undefined,
  known: Readonly<Record<string, KnownState>>,
  where: string,
  name: string,
  findings: Finding[],
): State {
  const word = text === undefined ? 'pending' : stateWord(text);
  const state = Object.hasOwn(known, word) ? known[word] : undefined;
  if (state === 'restart') {
    const message = `‘${name}’ is ${word}: somebody has begun it elsewhere, or wants to see it`;
    findings.push({
      kind: 'state',
      where,
      message,
      done: 'It is imported as open, from its start.',
    });
    return 'open';
  }
  if (state === 'later') {
    findings.push({
      kind: 'state',
      where,
      message: `‘${name}’ is ${word}: it was put off`,
      done: 'It is imported as open, and begins with the others.',
    });
    return 'open';
  }
  if (state === 'dropped') return { because: `was ${word === 'tombstone' ? 'deleted' : word}` };
  if (state !== undefined) return state;
  if (text !== undefined) {
    const message = `‘${name}’ has the unknown state ‘${oneLine(text).slice(0, 40)}’`;
    findings.push({ kind: 'state', where, message, done: 'It is imported as open.' });
  }
  return 'open';
}

const PRIORITY_WORDS: Readonly<Record<string, Priority>> = {
  critical: 'urgent',
  urgent: 'urgent',
  highest: 'urgent',
  high: 'high',
  medium: 'normal',
  normal: 'normal',
  low: 'low',
  lowest: 'low',
};

/** A priority in words; `normal` is the goal's own and needs no mention. */
export function readPriority(
  text: string | undefined,
  where: string,
  findings: Finding[],
): Priority | undefined {
  if (text === undefined) return undefined;
  const priority = PRIORITY_WORDS[text.trim().toLowerCase()];
  if (priority === undefined) {
    const message = `the priority ‘${oneLine(text).slice(0, 40)}’ is not known`;
    findings.push({
      kind: 'value',
      where,
      message,
      done: 'The task gets the priority of its goal.',
    });
  }
  return priority === 'normal' ? undefined : priority;
}

export const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
