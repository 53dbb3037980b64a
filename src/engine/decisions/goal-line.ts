/**
 * A goal's branch as git has it, for decisions about what leaves it. The log cannot say: tasks of one merge train tell
 * of their merges in any order, and some have not told yet.
 */
import type { GoalView } from '../../core/goal.js';
import type { Log } from '../../log/log.js';

/** A commit of the goal's own line, with the task whose merge it is. */
export interface LinePoint {
  readonly commit: string;
  readonly task?: string | undefined;
}

/** Plain data: read where git is, and handed to where it is decided. */
export interface GoalLine {
  readonly goal: string;
  /** `branchSteps` when it was read. */
  readonly steps: number;
  /** Where it started, then each commit since. */
  readonly points: readonly LinePoint[];
}

/** @internal Grows with each rollback of the goal that is decided, and each that is done: a line read before that is none any more. */
export function branchSteps(log: Log, goal: string): number {
  return [...log.events({ goal, types: ['goal.rolled-back', 'branch.moved'] })].length;
}

/** The tasks whose work leaves the branch with these points. What a person gave up stays given up where it never counted. */
export function undoneWith(goal: GoalView, points: readonly LinePoint[]): string[] {
  const undone = points.flatMap(({ task: id, commit }) => {
    const task = id === undefined ? undefined : goal.tasks.get(id);
    if (!task || (task.state === 'CANCELLED' && task.commit !== commit)) return [];
    return [task.spec.id];
  });
  return [...new Set(undone)];
}
