/** `approve`, `reject`: a person's answer to a task, a plan or a finished goal that waits for one. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { GoalView } from '../../core/goal.js';
import { type GateKind, isGoalId } from '../../core/ids.js';
import { defineRule, eventOn, goalIdSchema, type Situation, taskIdSchema } from './rule.js';

const targetSchema = z.union([goalIdSchema, taskIdSchema], {
  error: 'must be a goal or a task, such as goal-7 or task-130',
});
const noteSchema = z.string().max(10_000).optional();

export const approveRule = defineRule({
  schema: z.strictObject({ id: targetSchema, note: noteSchema }),
  decide({ id, note }, situation) {
    const done = finishedGoal(id, situation);
    if (done) {
      const event = { type: 'landing.approved', ...noteOf(note) } as const;
      return { events: [eventOn(done, situation, event)], decision: { goal: done.id } };
    }
    const { goal, task } = askedFor(id, situation);
    const type = task === undefined ? 'goal.approved' : 'task.approved';
    return {
      events: [eventOn(goal, situation, { type, via: 'person', ...noteOf(note) }, task)],
      decision: { goal: goal.id },
    };
  },
});

export const rejectRule = defineRule({
  schema: z.strictObject({
    id: targetSchema,
    note: noteSchema,
    /** True: it ends here. Else it starts, and is told the note. */
    end: z.boolean().default(false),
  }),
  decide({ id, note, end }, situation) {
    if (!end && note === undefined) {
      throw new DroverError(
        'bad-input',
        `Nothing says what is wrong with ${id}.`,
        'Write a note for the next attempt (--note), or end it (--end).',
      );
    }
    const done = finishedGoal(id, situation);
    if (done) {
      const event = { type: 'landing.refused', reason: note ?? 'It was rejected.' } as const;
      return { events: [eventOn(done, situation, event)], decision: { goal: done.id } };
    }
    const { goal, task } = askedFor(id, situation);
    const type = task === undefined ? 'goal.rejected' : 'task.rejected';
    return {
      events: [eventOn(goal, situation, { type, end, via: 'person', ...noteOf(note) }, task)],
      decision: { goal: goal.id },
    };
  },
});

/** A goal whose branch may land: it is done, and has work that the base branch lacks. */
function finishedGoal(id: string, situation: Situation): GoalView | undefined {
  if (!isGoalId(id)) return undefined;
  const goal = situation.goal(id);
  return goal.state === 'DONE' && goal.merged && goal.landed === null ? goal : undefined;
}

const noteOf = (note: string | undefined): { note?: string } =>
  note === undefined ? {} : { note };

/** @throws DroverError `conflict` where nobody waits for an answer about it */
function askedFor(id: string, situation: Situation): { goal: GoalView; task?: string } {
  if (isGoalId(id)) {
    const goal = situation.goal(id);
    const waits = [...goal.tasks.values()].some(({ gates }) => isClosed(gates, 'plan'));
    if (!waits || goal.state === 'CANCELLED') throw notAsked(id);
    return { goal };
  }
  const { goal, task } = situation.task(id);
  const over = task.state !== 'BACKLOG' && task.state !== 'PENDING';
  if (over || !isClosed(task.gates, 'approval')) throw notAsked(id);
  return { goal, task: id };
}

const isClosed = (gates: readonly { kind: GateKind; open: boolean }[], kind: GateKind): boolean =>
  gates.some((gate) => gate.kind === kind && !gate.open);

const notAsked = (id: string): DroverError =>
  new DroverError('conflict', `${id} waits for nobody's approval.`, 'See `drover inbox`.');
