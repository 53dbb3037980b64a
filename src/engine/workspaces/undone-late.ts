/**
 * What leaves a goal's branch with a rollback and was merged after that was decided: agents go on until the branch goes
 * back, and it goes back from wherever it is then.
 *
 * Invariants kept here: 4 (a task that is DONE has its merge on the branch).
 */
import type { NewEvent } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import type { Log } from '../../log/log.js';
import type { Merge } from '../../workspace/merges.js';
import { undoneWith } from '../decisions/goal-line.js';
import { reopenEvents, withDescendants } from '../decisions/reopen.js';
import { eventOn } from '../decisions/rule.js';

/** Reopens what the rollback has not reopened yet; to be recorded with the branch's move. */
export function undoneLate(
  log: Log,
  goal: GoalView,
  commit: string,
  undone: readonly Merge[],
): NewEvent[] {
  if (goal.state === 'CANCELLED') return [];
  const { by, tasks: again } = decided(log, goal.id);
  const late = undoneWith(goal, undone).filter((task) => !again.has(task));
  if (late.length === 0) return [];
  const situation = { by, now: Date.now() };
  const why = 'Merged while the branch was to go back.';
  return [
    eventOn(goal, situation, { type: 'goal.rolled-back', commit, tasks: late, why }),
    ...reopenEvents(goal, withDescendants(goal, late), { why }, situation),
  ];
}

/** Who rolled the goal back, and what was reopened since: nothing of that begins before the branch has moved. */
function decided(log: Log, goal: string): { by: string; tasks: ReadonlySet<string> } {
  const types = ['goal.rolled-back', 'tasks.reopened', 'branch.moved'] as const;
  let pending: { by: string; tasks: Set<string> } | undefined;
  for (const { event, by = '' } of log.events({ goal, types: [...types] })) {
    if (event.type === 'branch.moved') pending = undefined;
    if (event.type === 'goal.rolled-back') pending ??= { by, tasks: new Set() };
    if (event.type !== 'goal.rolled-back' && event.type !== 'tasks.reopened') continue;
    for (const task of event.tasks) pending?.tasks.add(task);
  }
  return pending ?? { by: '', tasks: new Set() };
}
