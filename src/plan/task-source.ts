/**
 * The tasks of a flow file before they are expanded. A task with mistakes still yields its needs and matrix,
 * so that the rest of the file is checked against it in the same reading.
 */
import { MAX_PLAN_BYTES, MAX_TASKS } from '../core/plan-check.js';
import { likelyKey, subject } from './issues.js';
import { countCombinations, type Matrix } from './matrix.js';
import { type ProblemList, quote } from './problems.js';
import { matrixSchema, needsSchema, taskSchema, type Text, type WrittenTask } from './schema.js';
import {
  leavesIn,
  type Reference,
  referencesIn,
  substitute,
  type Value,
  type Values,
} from './substitute.js';
import { nearest } from './suggest.js';
import type { LocatedValue } from './yaml-value.js';

type Path = readonly PropertyKey[];
type Raw = Readonly<Record<string, unknown>>;

export interface WrittenNeed {
  readonly text: string;
  readonly path: Path;
}

export interface TaskSource {
  readonly id: string;
  readonly path: Path;
  readonly needs: readonly WrittenNeed[];
  readonly matrix: Matrix;
  /** True where a matrix is written but cannot be used, so that its variants are not known. */
  readonly matrixBroken: boolean;
  /** Undefined where the task's own mistakes make more checks of it pointless. */
  readonly written: (WrittenTask & { readonly env?: Record<string, string> }) | undefined;
}

export interface References {
  /** Names that are declared; a reference to any other is a mistake. */
  readonly declared: readonly string[];
  readonly values: Values;
}

export const isRecord = (value: unknown): value is Raw =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/**
 * @returns the tasks in the order of the file, or undefined where writing them all out would be too much
 */
export function readTasks(
  references: References,
  file: LocatedValue,
  problems: ProblemList,
): TaskSource[] | undefined {
  const tasks = isRecord(file.value) ? file.value['tasks'] : undefined;
  if (!isRecord(tasks)) return [];
  const sources: TaskSource[] = [];
  let count = 0;
  let text = 0;
  for (const id of file.keysOf(tasks)) {
    const path = ['tasks', id];
    const checked = checkReferences(tasks[id], path, references, file, problems);
    const source = readTask(id, tasks[id], checked.sound, references.values, file);
    checkWork(tasks[id], path, file, problems);
    sources.push(source);
    const variants = countCombinations(source.matrix);
    count += variants;
    text += variants * checked.text;
    // Before anything is written out: a character is a byte of the plan at least.
    if (count > MAX_TASKS || text > MAX_PLAN_BYTES) {
      const [limit, what] =
        count > MAX_TASKS ? [MAX_TASKS, 'tasks'] : [MAX_PLAN_BYTES, 'characters of tasks'];
      problems.add(
        file.offsetOf(path, true),
        `with task ${quote(id)} the plan has more than ${limit.toLocaleString('en')} ${what}`,
        'Split it into several goals, or make the matrix smaller.',
      );
      return undefined;
    }
  }
  return sources;
}

function readTask(
  id: string,
  raw: unknown,
  sound: boolean,
  parameters: Values,
  file: LocatedValue,
): TaskSource {
  const path = ['tasks', id];
  const record = isRecord(raw) ? raw : {};
  const asText = (value: Text, at: Path) => (typeof value === 'string' ? value : file.textAt(at));
  const needs = needsSchema.safeParse(record['needs']).data ?? [];
  const matrix = matrixSchema.safeParse(record['matrix']).data;
  const parsed = sound ? taskSchema.safeParse(raw).data : undefined;
  const env = Object.entries(parsed?.env ?? {}).map(
    ([name, value]) => [name, asText(value, [...path, 'env', name])] as const,
  );
  return {
    id,
    path,
    needs: (Array.isArray(needs) ? needs : [needs]).map((need, index) => {
      const at = [...path, 'needs', ...(Array.isArray(needs) ? [index] : [])];
      return { text: asText(need, at), path: at };
    }),
    matrix: new Map(
      Object.entries(matrix ?? {}).map(([name, values]) => [
        name,
        values.map((value, index): Value => {
          const text = asText(value, [...path, 'matrix', name, index]);
          if (typeof value !== 'string') return { text, json: value };
          const replaced = substitute(text, { parameters, matrix: new Map() });
          return { text: replaced, json: replaced };
        }),
      ]),
    ),
    matrixBroken: record['matrix'] !== undefined && matrix === undefined,
    written: parsed && { ...parsed, env: Object.fromEntries(env) },
  };
}

/** A task says what is to be done in one way, and who can do it. */
function checkWork(raw: unknown, path: Path, file: LocatedValue, problems: ProblemList): void {
  if (!isRecord(raw)) return;
  const known = Object.keys(taskSchema.shape);
  const unknown = Object.keys(raw).filter((key) => !known.includes(key));
  // A key that is only misspelt was reported already.
  const meant = new Set(unknown.map((key) => likelyKey(key, known)));
  const isSaid = (key: string): boolean => raw[key] !== undefined || meant.has(key);
  if (raw['run'] !== undefined && raw['with'] !== undefined) {
    problems.add(
      file.offsetOf([...path, 'with'], true),
      `${subject(path)} has both \`run\` and \`with\``,
      'Keep `run` for a shell command, or `with` for the input of another agent.',
    );
  } else if (!isSaid('run') && !isSaid('with')) {
    problems.add(
      file.offsetOf(path, true),
      `${subject(path)} has neither \`run\` nor \`with\``,
      'Give it a shell command as `run`, or the input of another agent as `with`.',
    );
  }
  if (!isSaid('run') && isSaid('with') && !isSaid('capability')) {
    problems.add(
      file.offsetOf(path, true),
      `${subject(path)} names no capability`,
      'Say which kind of agent does it, as in `capability: developer`.',
    );
  }
}

/**
 * @returns whether every reference has a value, and how many characters one variant may have
 */
function checkReferences(
  raw: unknown,
  path: Path,
  references: References,
  file: LocatedValue,
  problems: ProblemList,
): { sound: boolean; text: number } {
  const matrix = isRecord(raw) && isRecord(raw['matrix']) ? raw['matrix'] : {};
  const longest = longestText(
    [...references.values.values()].map(({ text }) => text),
    matrix,
  );
  let sound = true;
  let text = 0;
  for (const { leaf, path: inner } of leavesIn(raw)) {
    const found = typeof leaf === 'string' ? referencesIn(leaf) : [];
    const inMatrix = inner[0] === 'matrix';
    if (!inMatrix) text += String(leaf).length + found.length * longest;
    // A matrix cannot refer to itself.
    const variables = inMatrix ? [] : Object.keys(matrix);
    for (const reference of found) {
      const wrong = mistakeIn(reference, references.declared, variables);
      if (wrong) problems.add(file.offsetOf([...path, ...inner]), wrong.message, wrong.remedy);
      const { kind, name } = reference.target ?? {};
      if (wrong || (kind === 'parameters' && !references.values.has(name!))) sound = false;
    }
  }
  return { sound, text };
}

function longestText(texts: readonly string[], matrix: Raw): number {
  let longest = 0;
  for (const text of texts) longest = Math.max(longest, text.length);
  for (const { leaf } of leavesIn(matrix)) longest = Math.max(longest, String(leaf).length);
  return longest;
}

/** What is wrong with a reference, if anything is. */
export function mistakeIn(
  { written, target }: Reference,
  parameters: readonly string[],
  variables: readonly string[],
): { message: string; remedy: string } | undefined {
  if (!target) {
    return {
      message: `${quote(written)} is no reference`,
      remedy: 'Write `${{ parameters.NAME }}` or `${{ matrix.NAME }}`.',
    };
  }
  const known = target.kind === 'parameters' ? parameters : variables;
  if (known.includes(target.name)) return undefined;
  const likely = nearest(target.name, known);
  const fallback =
    target.kind === 'parameters'
      ? `Declare it under \`parameters\`.`
      : `Give the task a matrix with this variable.`;
  return {
    message: `${quote(written)} names no ${target.kind === 'parameters' ? 'parameter' : 'matrix variable'}`,
    remedy: likely ? `Did you mean ${quote(likely)}?` : fallback,
  };
}
