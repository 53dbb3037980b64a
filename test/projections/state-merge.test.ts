import { describe, expect, it } from 'vitest';
import { parseState, renderState } from '../../src/projections/state-file.js';
import { withMergedTask } from '../../src/projections/state-merge.js';
import { describeGoal } from '../../src/projections/state-schema.js';
import { GoalMaker, START, taskSpec } from './goals.js';

const merged = {
  project: 'demo',
  goal: 'goal-1',
  title: 'Build a shop',
  task: 'task-2',
  name: 'the cart',
  needs: ['task-1'],
  agent: 'worker-1',
  result: { lines: 12 },
  finished: START + 60_000,
};

describe('STATE.yaml in a merge', () => {
  const { goal } = new GoalMaker('goal-1', 'Build a shop', [
    taskSpec('task-1'),
    taskSpec('task-2', { needs: ['task-1'] }),
  ]);
  const file = renderState({ project: 'demo', seq: 7, goals: { 'goal-1': describeGoal(goal) } });

  it('says that the task is done and leaves the rest as it is, comments included', () => {
    const commented = file.replace('    task-1:', '    # look here\n      task-1:');
    const text = withMergedTask(commented, merged);
    expect(text).toContain('# look here');
    const { goals, seq } = parseState(text);
    expect(seq).toBe(7);
    expect(goals['goal-1']!.tasks).toEqual({
      'task-1': parseState(file).goals['goal-1']!.tasks!['task-1'],
      'task-2': {
        name: 'the cart',
        state: 'DONE',
        needs: ['task-1'],
        agent: 'worker-1',
        finished: new Date(START + 60_000).toISOString(),
        result: '{"lines":12}',
      },
    });
  });

  it.each([undefined, '', 'goals: [', file.replace('state:', 'mood:')])(
    'is begun anew where there is none, or a damaged one (%#)',
    (previous) => {
      const { goals } = parseState(withMergedTask(previous, merged));
      expect(Object.keys(goals)).toEqual(['goal-1']);
      expect(goals['goal-1']).toMatchObject({ title: 'Build a shop', state: 'OPEN' });
      expect(Object.keys(goals['goal-1']!.tasks!)).toEqual(['task-2']);
    },
  );

  it('grows by one task after the other', () => {
    const first = withMergedTask(undefined, { ...merged, task: 'task-1', needs: [] });
    const tasks = parseState(withMergedTask(first, merged)).goals['goal-1']!.tasks!;
    expect(Object.entries(tasks).map(([id, { state }]) => [id, state])).toEqual([
      ['task-1', 'DONE'],
      ['task-2', 'DONE'],
    ]);
  });
});
