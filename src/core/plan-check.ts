/** What a schema cannot say about a plan: that names are unique, needs exist and nothing waits for itself. */
import { DroverError } from './errors.js';
import { findCycle } from './graph.js';
import type { PlannedTask } from './plan.js';

/** Tasks in one plan, added ones included. */
export const MAX_TASKS = 20_000;

/** Bytes of JSON that a plan, or whatever else is handed in at once, may have: 64 MiB. */
export const MAX_PLAN_BYTES = 64 * 1024 * 1024;

/**
 * @param known names of tasks that the plan's needs may point to besides its own
 * @throws DroverError `bad-plan` naming every problem.
 */
export function checkPlan(
  tasks: readonly PlannedTask[],
  known: ReadonlySet<string> = new Set(),
): void {
  if (tasks.length === 0) throw badPlan('it has no tasks');
  if (tasks.length > MAX_TASKS)
    throw badPlan(`it has ${tasks.length} tasks; ${MAX_TASKS} are allowed`);
  const names = new Set<string>();
  const problems: string[] = [];
  for (const { name } of tasks) {
    if (names.has(name) || known.has(name)) problems.push(`two tasks are named ‘${name}’`);
    names.add(name);
  }
  for (const { name, needs } of tasks) {
    for (const need of needs) {
      if (!names.has(need) && !known.has(need))
        problems.push(`‘${name}’ needs ‘${need}’, which does not exist`);
    }
  }
  problems.push(...keyConflicts(tasks));
  const cycle = findCycle(tasks.map(({ name, needs }) => ({ id: name, needs })));
  if (cycle) problems.push(`these tasks wait for each other: ${cycle.join(' → ')}`);
  if (problems.length > 0) throw badPlan(problems.join('; '));
}

/** Two tasks of one plan that allow different numbers for one key: one of them is a mistake. */
function keyConflicts(tasks: readonly PlannedTask[]): string[] {
  const first = new Map<string, { name: string; limit: number }>();
  return tasks.flatMap(({ name, concurrency }) => {
    if (!concurrency) return [];
    const { key, limit } = concurrency;
    const other = first.get(key);
    first.set(key, other ?? { name, limit });
    if (!other || other.limit === limit) return [];
    return [`‘${other.name}’ and ‘${name}’ allow ${other.limit} and ${limit} of ‘${key}’ at once`];
  });
}

const badPlan = (what: string): DroverError =>
  new DroverError(
    'bad-plan',
    `The plan cannot run: ${what}.`,
    'Correct the plan and hand it in again.',
  );
