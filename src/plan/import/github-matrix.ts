/** Matrices of GitHub's jobs: every combination of the variables, less `exclude`, with `include`. */
import { z } from 'zod';
import { MAX_TASKS } from '../../core/plan-check.js';
import type { Finding } from './item.js';

const valueSchema = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const combinationSchema = z.record(z.string(), valueSchema);
type Combination = z.output<typeof combinationSchema>;

const matrixSchema = z
  .looseObject({
    include: z.array(combinationSchema).nullish(),
    exclude: z.array(combinationSchema).nullish(),
  })
  .transform(({ include, exclude, ...variables }) => ({
    include: include ?? [],
    exclude: exclude ?? [],
    variables,
  }));

export interface JobVariant {
  /** `build (linux, 20)`, or the bare id without a matrix. */
  readonly name: string;
  readonly values: Readonly<Combination>;
}

export function expandMatrix(
  id: string,
  written: unknown,
  where: string,
  findings: Finding[],
): JobVariant[] {
  const alone = [{ name: id, values: {} }];
  if (written === undefined || written === null) return alone;
  const parsed = matrixSchema.safeParse(written);
  const variables = z
    .record(z.string(), z.array(valueSchema).min(1))
    .safeParse(parsed.data?.variables);
  if (!parsed.success || !variables.success) {
    const message = 'the matrix is computed, or has values that are neither text nor numbers';
    findings.push({
      kind: 'unsupported',
      where,
      message,
      done: 'The job is imported once, without it.',
    });
    return alone;
  }
  const all = combine(variables.data);
  if (!all) {
    const message = `the matrix has more than ${MAX_TASKS} combinations`;
    const done = 'The job is imported once, without it.';
    findings.push({ kind: 'value', where, message, done });
    return alone;
  }
  const chosen = withIncluded(
    all.filter((values) => !parsed.data.exclude.some((rule) => matches(values, rule))),
    parsed.data.include,
    Object.keys(variables.data),
  );
  if (chosen.length === 0) return alone;
  return chosen.map((values) => ({ name: `${id} (${Object.values(values).join(', ')})`, values }));
}

function combine(
  variables: Readonly<Record<string, readonly string[]>>,
): Combination[] | undefined {
  const lists = Object.entries(variables);
  if (lists.length === 0) return [];
  let count = 1;
  for (const [, values] of lists) count *= values.length;
  if (count > MAX_TASKS) return undefined;
  let all: Combination[] = [{}];
  for (const [name, values] of lists) {
    all = all.flatMap((chosen) => values.map((value) => ({ ...chosen, [name]: value })));
  }
  return all;
}

const matches = (values: Combination, rule: Combination): boolean =>
  Object.entries(rule).every(([name, value]) => values[name] === value);

/**
 * An entry joins every combination whose own values it does not change; one that joins none is a combination of
 * its own.
 */
function withIncluded(
  combinations: readonly Combination[],
  entries: readonly Combination[],
  variables: readonly string[],
): Combination[] {
  const all = combinations.map((values) => ({ ...values }));
  const own: Combination[] = [];
  for (const entry of entries) {
    const fitting = all.filter((values) =>
      variables.every((name) => !Object.hasOwn(entry, name) || values[name] === entry[name]),
    );
    if (fitting.length === 0) own.push({ ...entry });
    for (const values of fitting) Object.assign(values, entry);
  }
  return [...all, ...own];
}
