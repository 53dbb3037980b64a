/** What open work waits for where something on the way is left out, missing or told from several places. */
import { describe, expect, test } from 'vitest';
import { type ImportedPlan, parsePlan } from '../../../src/plan/import/import-plan.js';

const read = (value: unknown): ImportedPlan =>
  parsePlan(typeof value === 'string' ? value : JSON.stringify(value), 'plan');

const graph = ({ flow }: ImportedPlan): Record<string, readonly string[]> =>
  Object.fromEntries(flow.tasks.map(({ name, needs }) => [name, needs]));

const ofKind = ({ findings }: ImportedPlan, wanted: string) =>
  findings.filter(({ kind }) => kind === wanted);

const tasks = (...list: readonly (readonly [status: string, needs: readonly number[]])[]) => ({
  tasks: list.map(([status, dependencies], index) => ({
    id: index + 1,
    title: `Task ${index + 1}`,
    status,
    dependencies,
  })),
});

/** In each, c waits for b, which waits for a and is left out. */
const CHAINS = {
  taskmaster: [
    tasks(['pending', []], ['cancelled', [1]], ['pending', [2]]),
    ['1', '3'],
    'was cancelled',
  ],
  beads: [
    [
      { id: 'a', title: 'A', status: 'open', priority: 1 },
      { id: 'b', title: 'B', status: 'tombstone', dependencies: [{ depends_on_id: 'a' }] },
      { id: 'c', title: 'C', status: 'open', dependencies: [{ depends_on_id: 'b' }] },
    ]
      .map((issue) => JSON.stringify(issue))
      .join('\n'),
    ['a', 'c'],
    'was deleted',
  ],
  'auto-claude': [
    {
      phases: [
        { id: 'one', subtasks: [{ id: 'a', status: 'pending' }] },
        { id: 'two', depends_on: ['one'], subtasks: [{ id: 'b', status: 'skipped' }] },
        { id: 'three', depends_on: ['two'], subtasks: [{ id: 'c', status: 'pending' }] },
      ],
    },
    ['a', 'c'],
    'was skipped',
  ],
  blackbox5: [
    `tasks:
      - { id: A, status: pending, blockedBy: [], blocks: [B] }
      - { id: B, status: archived, blockedBy: [A], blocks: [C] }
      - { id: C, status: pending, blockedBy: [B], blocks: [] }`,
    ['A', 'C'],
    'was archived',
  ],
  'github-actions': [
    `jobs:
      build: { steps: [{ run: make }] }
      test: { needs: build, if: github.event_name == 'push', steps: [{ run: make test }] }
      deploy: { needs: test, steps: [{ run: make deploy }] }`,
    ['build', 'deploy'],
    'has a condition that only GitHub can judge',
  ],
} as const;

describe.each(Object.entries(CHAINS))('%s', (format, [file, [first, last], because]) => {
  test('what needed a left-out item takes over its needs, and the report says so and why', () => {
    const plan = read(file);
    expect(plan.format).toBe(format);
    expect(graph(plan)).toEqual({ [first]: [], [last]: [first] });
    expect(plan.dropped).toMatchObject([{ because }]);
    const told = ofKind(plan, 'left-out');
    expect(told).toHaveLength(1);
    expect(told[0]!.message).toContain(`which is left out because it ${because}`);
    expect(told[0]!.done).toContain(`waits for what that waited for, ‘${first}’;`);
  });
});

test('needs are taken over through any number of left-out items, and end at done ones', () => {
  const plan = read(
    tasks(
      ['pending', []],
      ['done', [1]],
      ['cancelled', [1, 2]],
      ['cancelled', [3]],
      ['pending', [4]],
      ['cancelled', [2]],
      ['pending', [6]],
    ),
  );
  expect(graph(plan)).toEqual({ 1: [], 5: ['1'], 7: [] });
  expect(ofKind(plan, 'left-out').map(({ done }) => done)).toEqual([
    expect.stringContaining('waits for what that waited for, ‘1’'),
    expect.stringContaining('the need is left out'),
  ]);
});

test('what was put off stays in its place', () => {
  const plan = read(tasks(['pending', []], ['deferred', [1]], ['pending', [2]]));
  expect(graph(plan)).toEqual({ 1: [], 2: ['1'], 3: ['2'] });
});

test('a row of subtasks goes on around those that are left out', () => {
  const subtask = (id: string, status: string): object => ({ id, status });
  const row = [subtask('a', 'pending'), subtask('b', 'skipped'), subtask('c', 'pending')];
  const plan = read({ phases: [{ subtasks: row }] });
  expect(graph(plan)).toEqual({ a: [], c: ['a'] });
  expect(ofKind(plan, 'left-out')).toMatchObject([{ message: expect.stringContaining('‘b’') }]);
});

test('left-out items that wait for each other hold nothing up', () => {
  const plan = read(tasks(['cancelled', [2]], ['cancelled', [1]], ['pending', [1]]));
  expect(graph(plan)).toEqual({ 3: [] });
});

test('a circle through a left-out item is refused with the whole of its path', () => {
  expect(() => read(tasks(['pending', [3]], ['cancelled', [1]], ['pending', [2]]))).toThrow(
    '1 → 3 → 2 → 1',
  );
  expect(() => read(tasks(['pending', [2]], ['cancelled', [1]]))).toThrow('1 → 2 → 1');
});

test('a subtask that is left out with its task says so', () => {
  const plan = read({
    tasks: [
      { id: 1, status: 'cancelled', subtasks: [{ id: 1, status: 'pending' }] },
      { id: 2, status: 'pending' },
    ],
  });
  expect(plan.dropped).toMatchObject([
    { name: '1.1', because: 'belongs to ‘1’, which was cancelled' },
    { name: '1', because: 'was cancelled' },
  ]);
  expect(plan.findings).toMatchObject([{ message: expect.stringContaining('was cancelled') }]);
});
