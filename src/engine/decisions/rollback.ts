/** `rollback`: a goal's branch goes back, and what was merged since begins again. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { GoalView } from '../../core/goal.js';
import { isTaskId } from '../../core/ids.js';
import { undoneWith } from './goal-line.js';
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
    to: z.string().max(200),
    why: whySchema,
  }),
  decide({ goal: id, to, why }, situation) {
    const goal = situation.goal(id);
    const isCommit = /^[0-9a-f]{4,64}$/.test(to);
    if (!isCommit && !isTaskId(to)) throw notNamed(goal, to);
    const line = situation.line(goal);
    const index = line.findLastIndex(({ task, commit }) =>
      isCommit ? commit.startsWith(to) : task === to,
    );
    if (index === -1) throw notThere(goal, to);
    if (isCommit && line.findIndex(({ commit }) => commit.startsWith(to)) !== index)
      throw new DroverError('bad-input', `Several commits begin with ${to}.`, 'Give more of it.');
    const undone = undoneWith(goal, line.slice(index + 1));
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

const notNamed = (goal: GoalView, to: string): DroverError =>
  new DroverError(
    'bad-input',
    `${goal.id} goes back to a task or a commit, and ${JSON.stringify(to)} is neither.`,
    `Name the task whose merge is to be the last one, such as task-123, or a commit, such as 1f2e3d4: \`drover graph ${goal.id}\` shows both.`,
  );

const notThere = (goal: GoalView, to: string): DroverError =>
  new DroverError(
    'not-found',
    `${to} is not on the branch of ${goal.id}.`,
    `See its commits with \`drover graph ${goal.id}\`.`,
  );
