/** What tasks wait for that could be claimed. */
import { expect, test } from 'vitest';
import { pendingWords } from '../../src/cli/render/wait-words.js';
import type { PlannedTaskInput } from '../../src/core/plan.js';
import { NOTHING_AROUND } from '../../src/projections/around.js';
import { type Around, type RunningTask, waitOf } from '../../src/projections/waits.js';
import { GoalMaker, taskSpec } from './goals.js';

const DB = { key: 'db', limit: 2 };

const running = (id: string, rest: Partial<RunningTask> = {}): RunningTask => ({
  id,
  project: 'other',
  capability: 'tester',
  concurrency: undefined,
  ...rest,
});

function words(around: Partial<Around>, input: Partial<PlannedTaskInput> = {}, held?: string) {
  const maker = new GoalMaker('goal-1', 'One', [taskSpec('task-1', input)]);
  if (held !== undefined) maker.add({ type: 'task.held', until: held }, 'task-1');
  const wait = waitOf(maker.goal, maker.goal.tasks.get('task-1')!, {
    ...NOTHING_AROUND,
    ...around,
  });
  return wait && pendingWords(wait);
}

test('a key’s slots, as many as the smallest limit of those who use it, and who holds them', () => {
  const users = ['task-7', 'task-8'].map((id) => running(id, { concurrency: DB }));
  const needs = { concurrency: DB };
  expect(words({ running: users.slice(1) }, needs)).toBeUndefined();
  expect(words({ running: users }, needs)).toBe(
    'waits for a slot of key db (limit 2, held by task-7, task-8)',
  );
  const strict = [running('task-9', { concurrency: { key: 'db', limit: 1 } })];
  expect(words({ running: strict }, needs)).toContain('(limit 1, held by task-9)');
  expect(words({ running: users })).toBeUndefined();
});

test('a project’s slots and a capability’s, what the task is put aside for first', () => {
  const limits: Around['limits'] = [
    { scope: 'project', name: 'demo', concurrency: 1 },
    { scope: 'capability', name: 'developer', concurrency: 2, rate: null },
  ];
  const one = running('task-5', { project: 'demo', concurrency: { key: 'db', limit: 1 } });
  const busy = ['task-3', 'task-4'].map((id) => running(id, { capability: 'developer' }));
  const slot = 'waits for a slot of project demo (limit 1, held by task-5)';
  expect(words({ limits, running: [one] })).toBe(slot);
  // What runs is read a moment later than the task itself, which may have begun.
  const self = running('task-1', { project: 'demo' });
  expect(words({ limits, running: [self] })).toBeUndefined();
  expect(words({ limits, running: busy })).toBe(
    'waits for capability developer: limit 2, 2 running',
  );
  const both = { limits, running: [one, ...busy] };
  expect(words(both, { concurrency: DB }, 'project:demo')).toBe(slot);
  expect(words(both, { concurrency: { key: 'db', limit: 1 } }, 'key:db')).toContain('key db');
});

test('a pause before all, agents that nobody runs, a rate, and its turn', () => {
  const queue = { agents: 1, line: ['task-8', 'task-9', 'task-1'], nextIn: 0 };
  const queues = (now: Partial<typeof queue>) => ({
    queues: new Map([['developer', { ...queue, ...now }]]),
  });
  expect(words(queues({}))).toBe('behind 2 others');
  expect(words(queues({ line: ['task-1', 'task-9'] }))).toBeUndefined();
  expect(words(queues({ line: [] }))).toBeUndefined();
  expect(words(queues({ nextIn: 12_000 }))).toContain('developer: its rate is used up');
  expect(words(queues({ agents: 0, nextIn: 12_000 }))).toBe('no agent offers developer');
  const pauses = [{ kind: 'project', name: 'demo' }] as const;
  expect(words({ ...queues({ agents: 0 }), pauses })).toBe('held: project demo is paused');
});
