/** Each format in small, with what its files are known to get wrong. */
import { expect, test } from 'vitest';
import {
  type ImportedPlan,
  type ImportOptions,
  parsePlan,
} from '../../../src/plan/import/import-plan.js';

const read = (value: unknown, options: ImportOptions = {}, file = 'plan.json'): ImportedPlan =>
  parsePlan(typeof value === 'string' ? value : JSON.stringify(value), file, options);

/** The plan as `task: needs`. */
const graph = ({ flow }: ImportedPlan): Record<string, readonly string[]> =>
  Object.fromEntries(flow.tasks.map(({ name, needs }) => [name, needs.toSorted()]));

const kinds = ({ findings }: ImportedPlan): string[] => findings.map(({ kind }) => kind).toSorted();

const task = (id: number, rest: object = {}): object => ({
  id,
  title: `Task ${id}`,
  description: `Does ${id}`,
  status: 'pending',
  dependencies: [],
  priority: 'medium',
  subtasks: [],
  ...rest,
});

test('Taskmaster: subtasks wait for what their task waits for, and the task comes last', () => {
  const plan = read({
    master: {
      tasks: [
        task(1, { status: 'done' }),
        task(2, { priority: 'high', dependencies: [1] }),
        task(3, {
          dependencies: [2, '1'],
          subtasks: [task(1), task(2, { dependencies: [1] }), task(3, { dependencies: ['3.2'] })],
        }),
        task(4, { dependencies: ['3.1', 3] }),
      ],
    },
  });
  expect(plan).toMatchObject({ format: 'taskmaster', findings: [], satisfied: [{ name: '1' }] });
  expect(graph(plan)).toEqual({
    '2': [],
    '3.1': ['2'],
    '3.2': ['2', '3.1'],
    '3.3': ['2', '3.2'],
    '3': ['2', '3.1', '3.2', '3.3'],
    '4': ['3', '3.1'],
  });
  expect(plan.flow.tasks[0]).toMatchObject({
    priority: 'high',
    capability: 'developer',
    with: { description: 'Does 2' },
  });
});

test('Taskmaster: tags stand side by side, or one is chosen; a tag that is not there is named', () => {
  const file = {
    master: { tasks: [task(1)] },
    web: { tasks: [task(1), task(2, { dependencies: [1] })] },
  };
  expect(graph(read(file))).toEqual({ 'master/1': [], 'web/1': [], 'web/2': ['web/1'] });
  expect(graph(read(file, { tag: 'web' }))).toEqual({ '1': [], '2': ['1'] });
  expect(() => read(file, { tag: 'wbe' })).toThrow(/no tag ‘wbe’/);
  expect(graph(read({ tasks: [task(1)] }))).toEqual({ '1': [] });
  expect(() => read({ tasks: [task(1)] }, { tag: 'web' })).toThrow(
    expect.objectContaining({ remedy: 'It has no tags at all: leave --tag out.' }) as Error,
  );
});

test('a tag is refused where the format has none', () => {
  const jobs = 'jobs: { a: { steps: [{ run: ls }] } }';
  expect(() => read(jobs, { tag: 'web' }, 'ci.yml')).toThrow(
    '--tag names a list of a Taskmaster file, and ci.yml is read as github-actions.',
  );
  expect(() => read('name: a\ntasks: { b: { run: ls } }', { tag: 'web' })).toThrow('as flow');
});

test('a capability is refused for a flow file, which names those of its tasks', () => {
  const flow = 'name: a\ntasks: { b: { run: ls } }';
  expect(() => read(flow, { capability: 'writer' }, 'flow.yaml')).toThrow(
    'the flow file flow.yaml',
  );
  expect(read(flow, {}, 'flow.yaml').flow.tasks).toMatchObject([{ capability: 'shell' }]);
});

test('Taskmaster: what contradicts itself is imported and told', () => {
  const plan = read({
    tasks: [
      task(1, { status: 'done', dependencies: [2], subtasks: [task(1)] }),
      task(2, { status: 'wild', dependencies: [9, 2] }),
      task(3, { status: 'cancelled' }),
      task(4, { status: 'in-progress', dependencies: [3] }),
    ],
  });
  expect(kinds(plan)).toEqual([
    'circular',
    'dangling',
    'done-early',
    'done-early',
    'left-out',
    'state',
    'state',
    'state',
  ]);
  expect(graph(plan)).toEqual({ '2': [], '4': [] });
  expect(plan.satisfied.map(({ name }) => name)).toEqual(['1.1', '1']);
  expect(plan.findings).toContainEqual(
    expect.objectContaining({
      where: 'tasks[1].dependencies',
      message: expect.stringContaining('‘9’') as string,
    }),
  );
});

test('what was put off is told as such, and not as begun', () => {
  const { findings, flow } = read({ tasks: [task(1, { status: 'deferred' })] });
  expect(flow.tasks).toHaveLength(1);
  expect(findings).toEqual([
    {
      kind: 'state',
      where: 'tasks[0]',
      message: '‘1’ is deferred: it was put off',
      done: 'It is imported as open, and begins with the others.',
    },
  ]);
});

test('a circle is refused with its path', () => {
  const circle = {
    tasks: [
      task(1, { dependencies: [3] }),
      task(2, { dependencies: [1] }),
      task(3, { dependencies: [2] }),
    ],
  };
  expect(() => read(circle)).toThrow('1 → 3 → 2 → 1');
});

test('two of one id become two tasks, two that are the same become one', () => {
  const plan = read({
    tasks: [task(1), task(1), task(1, { title: 'Other' }), task(2, { dependencies: [1] })],
  });
  expect(graph(plan)).toEqual({ '1': [], '1 (2)': [], '2': ['1'] });
  expect(kinds(plan)).toEqual(['duplicate', 'duplicate']);
});

const issue = (id: string, rest: object = {}): string =>
  JSON.stringify({
    id,
    title: `Issue ${id}`,
    status: 'open',
    priority: 2,
    issue_type: 'task',
    ...rest,
  });
const link = (id: string, to: string, type = 'blocks') => ({
  issue_id: id,
  depends_on_id: to,
  type,
});

test('beads: an epic comes after its children, which wait for what it waits for', () => {
  const plan = read(
    [
      issue('b-1', { priority: 0, estimated_minutes: 5 }),
      issue('b-2', { issue_type: 'epic', dependencies: [link('b-2', 'b-1')] }),
      issue('b-2.1', { dependencies: [link('b-2.1', 'b-2', 'parent-child')] }),
      issue('b-2.2', {
        dependencies: [
          link('b-2.2', 'b-2', 'parent-child'),
          link('b-2.2', 'b-2.1'),
          link('b-2.2', 'b-1', 'related'),
        ],
      }),
      issue('b-3', { status: 'closed' }),
      issue('b-4', { status: 'tombstone' }),
      '',
    ].join('\n'),
    {},
    'issues.jsonl',
  );
  expect(graph(plan)).toEqual({
    'b-1': [],
    'b-2': ['b-1', 'b-2.1', 'b-2.2'],
    'b-2.1': ['b-1'],
    'b-2.2': ['b-1', 'b-2.1'],
  });
  expect(plan).toMatchObject({ format: 'beads', findings: [], dropped: [{ name: 'b-4' }] });
  expect(plan.flow.tasks[0]).toMatchObject({ priority: 'urgent', expected: 300_000 });
});

test('beads: a child that waits for its epic keeps the need and leaves the family', () => {
  const plan = read(
    [
      issue('b-1', { issue_type: 'epic' }),
      issue('b-2', { dependencies: [link('b-2', 'b-1', 'parent-child'), link('b-2', 'b-1')] }),
      issue('b-3', { dependencies: [link('b-3', 'b-9'), link('b-3', 'b-8', 'parent-child')] }),
    ].join('\n'),
  );
  expect(graph(plan)).toEqual({ 'b-1': [], 'b-2': ['b-1'], 'b-3': [] });
  expect(kinds(plan)).toEqual(['circular', 'dangling', 'dangling']);
});

test('beads: damaged lines are named by number, merge conflicts as what they are', () => {
  const text = [issue('b-1'), '<<<<<<< HEAD', issue('b-2').slice(0, 20), issue('b-3')].join('\n');
  expect(() => read(text)).toThrow(/line 2 is the mark of a merge conflict.*line 3 is no JSON/);
  expect(() => read(`${issue('b-1')}\n{"id": "b-2"}\n{"title": 3}`)).toThrow(
    'plan.json cannot be read: line 3 has neither an id nor a title.',
  );
});

test('Auto-Claude: subtasks of a phase go in a row unless they are safe side by side', () => {
  const subtask = (id: string, rest: object = {}): object => ({
    id,
    description: `Do ${id}`,
    status: 'pending',
    ...rest,
  });
  const plan = read({
    feature: 'Sign in',
    workflow_type: 'feature',
    phases: [
      {
        phase: 1,
        name: 'Backend',
        subtasks: [subtask('a1'), subtask('a2', { status: 'completed' }), subtask('a3')],
      },
      {
        id: 'ui',
        phase: 2,
        name: 'Frontend',
        depends_on: [1],
        parallel_safe: true,
        chunks: [subtask('b1'), subtask('b2')],
      },
      {
        phase: 3,
        name: 'Join',
        depends_on: ['ui', 'Backend'],
        subtasks: [subtask('c1', { verification: { type: 'command', run: 'npm test' } })],
      },
      { phase: 4, name: 'Empty', depends_on: [3], subtasks: [] },
      {
        phase: 5,
        name: 'After',
        depends_on: [4, 7],
        subtasks: [{ description: 'No id', status: 'failed' }],
      },
    ],
  });
  expect(plan.flow.title).toBe('Sign in');
  expect(graph(plan)).toEqual({
    a1: [],
    a3: ['a1'],
    b1: ['a3'],
    b2: ['a3'],
    c1: ['a3', 'b1', 'b2'],
    'phase-5-1': ['c1'],
  });
  expect(kinds(plan)).toEqual(['dangling', 'done-early', 'state', 'value']);
  expect(plan.flow.tasks.find(({ name }) => name === 'c1')!.check).toMatchObject({
    run: 'npm test',
  });
});

test('blackbox5: both ends of an edge and the waves are compared', () => {
  const plan = read(
    `
schema: { total_tasks: 9 }
tasks:
  - { id: A, status: pending, priority: CRITICAL, estimated_minutes: 2, blockedBy: [], blocks: [B], parallel_group: wave_1 }
  - { id: B, status: pending, blockedBy: [A], blocks: [D, X], parallel_group: wave_1 }
  - { id: C, status: pending, blockedBy: [B], blocks: [A], parallel_group: wave_2 }
  - { id: D, status: pending, blockedBy: [], blocks: [], parallel_group: sequential }
`,
    {},
    'queue.yaml',
  );
  expect(plan.format).toBe('blackbox5');
  expect(graph(plan)).toEqual({ A: [], B: ['A'], C: ['B'], D: ['B'] });
  expect(kinds(plan)).toEqual([
    'circular',
    'dangling',
    'one-sided',
    'one-sided',
    'unsupported',
    'value',
    'wave',
  ]);
  expect(plan.flow.tasks[0]).toMatchObject({ priority: 'urgent', expected: 120_000 });
});

test('WfFormat: runtimes are expected durations; one-sided edges count; older versions are named', () => {
  const node = (id: string, parents: string[], children: string[]): object => ({
    name: id,
    id,
    parents,
    children,
    inputFiles: [],
    outputFiles: [],
  });
  const trace = {
    name: 'trace',
    schemaVersion: '1.5',
    workflow: {
      specification: {
        tasks: [
          node('a', [], ['b']),
          node('b', ['a'], []),
          node('c', ['b'], ['z']),
          node('d', [], ['b']),
        ],
      },
      execution: {
        tasks: [
          { id: 'a', runtimeInSeconds: 1.5, command: { program: 'align', arguments: ['-t', '2'] } },
        ],
      },
    },
  };
  const plan = read(trace);
  expect(graph(plan)).toEqual({ a: [], b: ['a', 'd'], c: ['b'], d: [] });
  expect(kinds(plan)).toEqual(['dangling', 'one-sided', 'one-sided', 'value', 'value', 'value']);
  expect(plan.flow.tasks[0]).toMatchObject({
    capability: 'workflow',
    expected: 1_500,
    with: { program: 'align', arguments: ['-t', '2'] },
  });
  expect(() => read({ schemaVersion: '1.4', workflow: { tasks: [] } })).toThrow('WfFormat "1.4"');
});

test('the wrong format is named with the likely one, and what is no plan at all with the list', () => {
  expect(() => read({ tasks: [task(1)] }, { format: 'auto-claude' })).toThrow(
    expect.objectContaining({ remedy: expect.stringContaining('taskmaster') as string }) as Error,
  );
  expect(() => read({ dependencies: { zod: '4' } })).toThrow('none of the formats');
  expect(() => read('{"tasks": [\n{"id": 1,}]}')).toThrow(/line 2, column \d+/);
  expect(() => read(' ')).toThrow('is empty');
  expect(() => read({ tasks: [task(1, { status: 'done' })] })).toThrow('1 of its 1 tasks are done');
  expect(() => read({ tasks: [{ details: 'no id' }] })).toThrow('tasks[0] has neither an id');
});
