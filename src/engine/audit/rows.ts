/** Compares the fold of a goal's events with its stored rows (invariant 1). Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { GoalView } from '../../core/goal.js';
import type { Json } from '../../core/plan.js';
import type { Disagreement } from './disagreement.js';

export function compareRows(
  goal: string,
  fold: GoalView | undefined,
  stored: GoalView | undefined,
): Disagreement[] {
  const found: Disagreement[] = [];
  const differ = (
    task: string | null,
    field: string,
    log: unknown,
    projection: unknown,
    explanation: string,
  ): void => {
    if (isDeepStrictEqual(log, projection)) return;
    found.push({
      witnesses: ['log', 'projection'],
      goal,
      task,
      field,
      // Both come from JSON, out of the log or out of the rows.
      values: { log: (log ?? null) as Json, projection: (projection ?? null) as Json },
      explanation,
    });
  };

  if (!fold || !stored) {
    const words = fold
      ? 'The log has this goal; no row does.'
      : 'A row has this goal; the log does not.';
    differ(null, 'goal', fold?.state, stored?.state, words);
    return found;
  }
  const { tasks: foldTasks, dependents: _derived, counts: _counted, ...foldFields } = fold;
  const storedFields: Readonly<Record<string, unknown>> = { ...stored };
  for (const [field, value] of Object.entries(foldFields)) {
    differ(
      null,
      field,
      value,
      storedFields[field],
      `The goal's row and its events differ in ‘${field}’.`,
    );
  }
  differ(
    null,
    'tasks',
    [...foldTasks.keys()],
    [...stored.tasks.keys()],
    'The stored tasks, or their order, are not those of the plan.',
  );
  for (const [id, task] of foldTasks) {
    const row: Readonly<Record<string, unknown>> | undefined = stored.tasks.has(id)
      ? { ...stored.tasks.get(id)! }
      : undefined;
    if (!row) continue;
    for (const [field, value] of Object.entries(task)) {
      differ(id, field, value, row[field], `The task's row and its events differ in ‘${field}’.`);
    }
  }
  return found;
}
