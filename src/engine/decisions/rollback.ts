/** `rollback`: a goal's branch goes back, and what was merged since begins again. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { GoalView } from '../../core/goal.js';
import { reopenEvents, withDescendants } from './reopen.js';
import { because, type Decision, defineRule, eventOn, goalIdSchema, whySchema } from './rule.js';

export interface RollbackDecision extends Decision {
  /** Where the goal's branch goes back to. */
  readonly commit: string;
  /** The tasks that begin again: those merged since, and what builds on them. */
  readonly tasks: readonly string[];
}

export const rollbackRule = defineRule({
  schema: z.strictObject({
    goal: goalIdSchema,
    /** A task, whose merge is the last one then, or a commit of the goal's branch, whole or shortened. */
    to: z.union([z.string().regex(/^task-[1-9]\d*$/), z.string().regex(/^[0-9a-f]{4,64}$/)], {
      error: 'must be a task such as task-123, or a commit such as 1f2e3d4',
    }),
    why: whySchema,
  }),
  decide({ goal: id, to, why }, situation) {
    const goal = situation.goal(id);
    const { start, merges } = situation.branch(id);
    const current = merges.filter(({ task, commit }) => goal.tasks.get(task)?.commit === commit);
    const line = [{ task: '', commit: start ?? '' }, ...current];
    const index = line.findLastIndex(
      ({ task, commit }) => task === to || (!to.startsWith('task-') && commit.startsWith(to)),
    );
    if (index === -1) throw notThere(goal, to);
    const undone = line.slice(index + 1).map(({ task }) => task);
    if (undone.length === 0) {
      throw new DroverError('conflict', `${id} stands at ${to} already: nothing was merged since.`);
    }
    const { commit } = line[index]!;
    const tasks = withDescendants(goal, undone);
    const event = { type: 'goal.rolled-back', commit, tasks: undone, ...because(why) } as const;
    const decision: RollbackDecision = { goal: id, commit, tasks };
    return {
      events: [eventOn(goal, situation, event), ...reopenEvents(goal, tasks, { why }, situation)],
      decision,
    };
  },
});

const notThere = (goal: GoalView, to: string): DroverError =>
  new DroverError(
    'not-found',
    `${to} is not on the branch of ${goal.id}.`,
    `See its commits with \`drover graph ${goal.id}\`.`,
  );
