/** Gates that no relay opens: the job of the need they wait for did not know of them, or is not there. */
import { type GoalView, isRefused } from '../core/goal.js';

/**
 * Only added and reopened tasks and rebuilt goals have gates that no relay knows, and those that build on a task that
 * was ended before Redis heard of it: it has no job, so nobody but us opens what waits for it.
 */
export function hasLooseGates(goal: GoalView): boolean {
  if (goal.floor > 0 || goal.counts.CANCELLED > 0) return true;
  for (const task of goal.tasks.values()) {
    if (task.batch > 0 || task.generation > 1 || isRefused(task)) return true;
  }
  return false;
}
