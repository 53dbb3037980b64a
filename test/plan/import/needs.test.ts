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

const taskmaster = (id: number, rest: object = {}): object => ({
  id,
  title: `Task ${id}`,
  ...rest,
});

test('a need that leads nowhere is told once, however many tasks have it from one place', () => {
  const subtasks = [taskmaster(1), taskmaster(2)];
  const list = [taskmaster(1, { dependencies: [9], subtasks }), taskmaster(2)];
  const plan = read({ master: { tasks: list }, web: { tasks: [taskmaster(1)] } });
  expect(plan.findings).toEqual([
    {
      kind: 'dangling',
      where: 'master.tasks[0].dependencies',
      message: '‘master/1’ waits for ‘master/9’, which is not in the file',
      done: 'The need is left out.',
    },
  ]);
});

test('a mistyped need is told with the name that was meant, which is never the task itself', () => {
  const jobs = (need: string): ImportedPlan =>
    read(`jobs:
      compile: { steps: [{ run: make }] }
      release: { needs: ${need}, strategy: { matrix: { os: [a, b] } }, steps: [{ run: ls }] }`);
  const [told, ...more] = jobs('comple').findings;
  expect(more).toEqual([]);
  expect(told).toMatchObject({
    message: '‘release’ waits for ‘comple’, which is not in the file',
    done: 'The need is left out. Perhaps ‘compile’ was meant.',
  });
  expect(jobs('releases').findings).toMatchObject([{ done: 'The need is left out.' }]);
});

test('a task that waits for itself or its own subtask says nothing about its other subtasks', () => {
  const subtasks = [taskmaster(1), taskmaster(2)];
  const plan = read({ tasks: [taskmaster(5, { dependencies: [5, '5.1'], subtasks })] });
  expect(graph(plan)).toEqual({ '5': ['5.1', '5.2'], '5.1': [], '5.2': [] });
  expect(plan.findings).toMatchObject([{ kind: 'circular', message: '‘5’ waits for itself' }]);
});

test('beads: what an epic waits for in vain is told at the epic', () => {
  const plan = read(
    [
      { id: 'e', title: 'E', status: 'open', dependencies: [{ depends_on_id: 'gone' }] },
      ...['e.1', 'e.2'].map((id) => ({
        id,
        title: id,
        status: 'open',
        dependencies: [{ depends_on_id: 'e', type: 'parent-child' }],
      })),
    ]
      .map((issue) => JSON.stringify(issue))
      .join('\n'),
  );
  expect(plan.findings).toMatchObject([{ kind: 'dangling', where: 'line 1, dependencies' }]);
});
