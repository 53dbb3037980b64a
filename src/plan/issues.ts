/** What zod found, in words for the author of a flow file. */
import type { z } from 'zod';
import { type ProblemList, quote } from './problems.js';
import { ENTRIES, SHAPES } from './schema.js';
import { nearest } from './suggest.js';
import type { LocatedValue } from './yaml-value.js';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Words of other tools for what a flow file calls otherwise. */
const SYNONYMS: Readonly<Record<string, string>> = {
  jobs: 'tasks',
  inputs: 'parameters',
  depends_on: 'needs',
  dependson: 'needs',
  dependencies: 'needs',
  requires: 'needs',
  script: 'run',
  command: 'run',
  environment: 'env',
  retries: 'retry',
  strategy: 'matrix',
};

/** Adds a problem for each issue; `base` is the path to the value that was checked. */
export function addIssues(
  issues: readonly Issue[],
  base: Path,
  file: LocatedValue,
  problems: ProblemList,
): void {
  for (const issue of issues) addIssue(issue, [...base, ...issue.path], file, problems);
}

function addIssue(issue: Issue, path: Path, file: LocatedValue, problems: ProblemList): void {
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) addUnknownKey(key, path, file, problems);
    return;
  }
  if (issue.code === 'invalid_union' && issue.message === UNION) {
    // The branch that took the value's type knows more than "none of these".
    const branch = issue.errors.find((errors) =>
      errors.every(({ code, path: inner }) => inner.length > 0 || !WRONG_TYPE.has(code)),
    );
    if (branch && branch.length > 0) {
      addIssues(branch, path, file, problems);
      return;
    }
  }
  // What is wrong with a task as a whole is said at its name.
  const ofKey = issue.code === 'invalid_key' || (placeOf(path).endsWith('.*') && path.length === 2);
  const what = complaint(issue);
  const remedy = guess(issue) ?? description(path);
  problems.add(file.offsetOf(path, ofKey), `${subject(path)} ${what}`, remedy, what);
}

/** The value that was probably meant, where there is a list of them. */
function guess(issue: Issue): string | undefined {
  if (issue.code !== 'invalid_value' || typeof issue.input !== 'string') return undefined;
  const likely = nearest(issue.input, issue.values.map(String));
  return likely && `Did you mean ${quote(likely)}?`;
}

/** What zod says of a union that has no message of its own. */
const UNION = 'Invalid input';
const WRONG_TYPE: ReadonlySet<string> = new Set(['invalid_type', 'invalid_union']);

function addUnknownKey(key: string, path: Path, file: LocatedValue, problems: ProblemList): void {
  const known = Object.keys(SHAPES[placeOf(path)] ?? {});
  const likely = likelyKey(key, known);
  problems.add(
    file.offsetOf([...path, key], true),
    `unknown key ${quote(key)} in ${subject(path)}`,
    likely ? `Did you mean ${quote(likely)}?` : `Known here: ${known.join(', ')}.`,
    `unknown key ${key}`,
  );
}

/** Which of the known keys an unknown one was probably meant to be. */
export function likelyKey(key: string, known: readonly string[]): string | undefined {
  const synonym = SYNONYMS[key.toLowerCase()];
  return synonym && known.includes(synonym) ? synonym : nearest(key, known);
}

/** What a path leads to, as its author would call it. */
export function subject(path: Path): string {
  const [top, name, ...rest] = path;
  if (top === undefined) return 'the file';
  if (name === undefined || (top !== 'tasks' && top !== 'parameters')) return quote(keyPath(path));
  const owner = `${top === 'tasks' ? 'task' : 'parameter'} ${quote(String(name))}`;
  return rest.length === 0 ? owner : `${quote(keyPath(rest))} of ${owner}`;
}

const keyPath = (path: Path): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'nothing',
};

/** What is wrong with a value, for schemas that were asked to report their input. */
export function complaint(issue: Issue): string {
  if (issue.input === null) return 'has no value';
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing';
      return `must be ${TYPES[issue.expected] ?? issue.expected}, not ${kindOf(issue.input)}`;
    case 'invalid_union': {
      if (issue.message !== UNION) return issue.message;
      const kinds = new Set(expectedIn(issue).map((type) => TYPES[type] ?? type));
      return `must be ${[...kinds].join(', ').replace(/, (?=[^,]*$)/, ' or ')}, not ${kindOf(issue.input)}`;
    }
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}, not ${kindOf(issue.input)}`;
    case 'invalid_key':
      return `cannot have this name: it ${issue.issues.map(complaint).join(', and ')}`;
    case 'too_small':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `must be at least ${issue.minimum}`
        : 'is empty';
    case 'too_big':
      return issue.origin === 'string'
        ? `is longer than ${issue.maximum} characters`
        : `must be at most ${issue.maximum}`;
    case 'invalid_format':
      return issue.message.startsWith('Invalid') ? 'does not have the right form' : issue.message;
    default:
      return issue.message;
  }
}

function expectedIn(issue: Issue): string[] {
  if (issue.code === 'invalid_union') return issue.errors.flat().flatMap(expectedIn);
  return issue.code === 'invalid_type' ? [issue.expected] : [];
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'string') return value === '' ? 'empty text' : quote(value);
  return quote(`${value as number | boolean}`);
}

/** What the nearest place with a description should hold. */
function description(path: Path): string {
  for (let length = path.length; length > 0; length -= 1) {
    const place = placeOf(path.slice(0, length - 1));
    const text =
      SHAPES[place]?.[String(path[length - 1])]?.description ??
      ENTRIES[placeOf(path.slice(0, length))]?.description;
    if (text) return `What belongs here: ${text}`;
  }
  return 'Begin with `name:` and `tasks:`.';
}

function placeOf(path: Path): string {
  const named = path[0] === 'tasks' || path[0] === 'parameters';
  return path.map((key, index) => (named && index === 1 ? '*' : String(key))).join('.');
}
