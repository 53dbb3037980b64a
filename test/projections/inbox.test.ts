/** What waits for a person, found in goals. */
import { expect, test } from 'vitest';
import { inboxOf, landingsOf } from '../../src/projections/inbox.js';
import { GoalMaker, taskSpec } from './goals.js';

const plan = () =>
  new GoalMaker('goal-1', 'Plan', [
    taskSpec('task-1'),
    taskSpec('task-2', { needs: ['task-1'] }),
    taskSpec('task-3'),
    taskSpec('task-4', { optional: true }),
  ]);

const failed = ({ goal }: GoalMaker) =>
  inboxOf([goal]).map(({ kind, id, reason }) => [kind, id, reason]);

test('a failed task waits for a person while others of its goal still run', () => {
  const maker = plan().fail('task-1', 'no').start('task-3');
  expect(maker.goal.state).toBe('OPEN');
  expect(failed(maker)).toEqual([['failed', 'task-1', 'failed: no (blocks 1)']]);
  expect(failed(maker.add({ type: 'task.skipped' }, 'task-1'))).toEqual([]);
});

test('what helps against a landing’s trouble is told to its end', () => {
  const trouble = `${'Something stands in the way. '.repeat(20)}Put it away, and approve again.`;
  const goal = {
    id: 'goal-1',
    project: 'default',
    title: 'Plan',
    finishedAt: 1,
    approved: true,
    trouble,
  };
  expect(landingsOf([goal], () => false)[0]?.reason).toBe(`cannot land yet: ${trouble}`);
});

test('one whose goal goes on without it, and one of a goal that was given up, are no questions', () => {
  expect(failed(plan().fail('task-4', 'no'))).toEqual([]);
  expect(failed(plan().fail('task-1', 'no').add({ type: 'goal.cancelled' }))).toEqual([]);
});
