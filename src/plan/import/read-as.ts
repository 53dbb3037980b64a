/** Reads values as their format says; one bad value is no reason to refuse all the others, where it can be spared. */
import type { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { complaint } from '../issues.js';
import type { Finding } from './item.js';

/**
 * Keys that neither say whether work is to be done nor what it waits for: a value that cannot be read is left out,
 * and the work imported without it.
 */
const SPARE: ReadonlySet<PropertyKey> = new Set([
  'name',
  'title',
  'feature',
  'description',
  'details',
  'design',
  'notes',
  'labels',
  'goal',
  'type',
  'issue_type',
  'resource_type',
  'service',
  'acceptance_criteria',
  'testStrategy',
  'priority',
  'priority_score',
  'parallel_group',
  'parallel_safe',
  'estimated_minutes',
  'command',
  'inputFiles',
  'outputFiles',
  'files_to_modify',
  'files_to_create',
  'patterns_from',
  'expected_output',
  'verification',
]);
/** Problems that one message names. */
const SHOWN = 5;

/** What is read, and where what is wrong with it is told. */
export interface Reading {
  /** The file's name, for errors. */
  readonly file: string;
  readonly findings: Finding[];
}

/**
 * Reads a value as its format says, without what is wrong in it and can be spared.
 * @param spare keys of the format, which must not be names that its authors choose
 * @throws DroverError `bad-input` naming the file and the places
 */
export function readAs<T extends z.ZodType>(
  schema: T,
  value: unknown,
  where: string,
  reading: Reading,
  spare = SPARE,
): z.output<T> {
  const strict = schema.safeParse(value, { reportInput: true });
  if (strict.success) return strict.data;
  const spared = withoutSpare(strict.error.issues, value, spare, where, reading.findings);
  const lenient = schema.safeParse(spared, { reportInput: true });
  if (lenient.success) return lenient.data;
  const { issues } = lenient.error;
  const problems = issues
    .slice(0, SHOWN)
    .map((issue) => `${placeOf(where, issue.path) || 'the file'} ${complaint(issue)}`);
  if (issues.length > SHOWN) problems.push(`and ${issues.length - SHOWN} more`);
  throw unreadable(reading, problems.join('; '));
}

function withoutSpare(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  spare: ReadonlySet<PropertyKey>,
  where: string,
  findings: Finding[],
): unknown {
  const copy: unknown = structuredClone(value);
  const told = new Set<string>();
  for (const issue of issues) {
    const path = issue.path.slice(0, issue.path.findLastIndex((key) => spare.has(key)) + 1);
    const place = placeOf(where, path);
    if (path.length === 0 || told.has(place)) continue;
    told.add(place);
    const message = `${placeOf('', issue.path.slice(path.length - 1))} ${complaint(issue)}`;
    findings.push({ kind: 'value', where: place, message, done: 'It is left out.' });
    const owner = path
      .slice(0, -1)
      .reduce<unknown>((at, key) => Reflect.get(Object(at), key), copy);
    Reflect.deleteProperty(Object(owner), path.at(-1)!);
  }
  return copy;
}

function placeOf(where: string, path: readonly PropertyKey[]): string {
  const steps = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`));
  return `${where}${steps.join('')}`.replace(/^\./, '');
}

/** Gives what has no id its place for a name: nothing can wait for it, but it is there to be done. */
export function withId<T extends { readonly id?: string | undefined; readonly title?: unknown }>(
  item: T,
  place: string,
  where: string,
  reading: Reading,
): T & { readonly id: string } {
  if (item.id !== undefined) return { ...item, id: item.id };
  if (item.title === undefined) throw unreadable(reading, `${where} has neither an id nor a title`);
  const done = 'It is called after its place, and nothing can wait for it.';
  reading.findings.push({ kind: 'value', where, message: 'it has no id', done });
  return { ...item, id: place };
}

/** By id; of two with one id the first, which is what everything else means. */
export const firstById = <T extends { readonly id: string }>(items: readonly T[]): Map<string, T> =>
  new Map(items.toReversed().map((item) => [item.id, item]));

const unreadable = ({ file }: Reading, problem: string): DroverError =>
  new DroverError(
    'bad-input',
    `${file} cannot be read: ${problem}.`,
    `Correct it in ${file}; nothing was imported.`,
  );
