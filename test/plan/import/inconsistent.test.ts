/** What contradicts itself in a file, is imported all the same, and is told. */
import { expect, test } from 'vitest';
import { type ImportedPlan, parsePlan } from '../../../src/plan/import/import-plan.js';

const read = (value: unknown): ImportedPlan =>
  parsePlan(typeof value === 'string' ? value : JSON.stringify(value), 'plan');

const told = ({ findings }: ImportedPlan): string[] =>
  findings.map(({ kind, where, message }) => `${kind} ${where}: ${message}`);

const trace = (runs?: readonly object[]): ImportedPlan =>
  read({
    name: 'trace',
    workflow: {
      specification: {
        tasks: ['a', 'b'].map((id) => ({ id, name: id, parents: [], children: [] })),
      },
      ...(runs && { execution: { tasks: runs } }),
    },
  });

test('WfFormat: runs of nothing, runs without a runtime and second runs', () => {
  const plan = trace([
    { id: 'a', runtimeInSeconds: 2 },
    { id: 'ghost', runtimeInSeconds: 3 },
    { id: 'a', runtimeInSeconds: 4 },
    { runtimeInSeconds: 5 },
  ]);
  expect(told(plan)).toEqual([
    'dangling workflow.execution.tasks[1]: ‘ghost’ ran, but is not in the specification',
    'duplicate workflow.execution.tasks[2]: ‘a’ ran before',
    'value workflow.execution.tasks[3]: it has no id',
    'value workflow.specification.tasks[1]: ‘b’ has no runtime',
  ]);
  expect(plan.flow.tasks.map(({ expected }) => expected)).toEqual([2_000, undefined]);
});

test('WfFormat: a runtime that is none is told once and spared', () => {
  const plan = trace([
    { id: 'a', runtimeInSeconds: 'x' },
    { id: 'b', runtimeInSeconds: -1 },
  ]);
  expect(told(plan)).toEqual([
    'value workflow.specification.tasks[0]: ‘a’ ran for ‘"x"’, which is no number of seconds',
    'value workflow.specification.tasks[1]: ‘b’ ran for ‘-1’, which is no number of seconds',
  ]);
  expect(plan.flow.tasks.map(({ expected }) => expected)).toEqual([undefined, undefined]);
});

test('WfFormat: a trace that was never run says so once', () => {
  expect(told(trace())).toEqual(['value workflow.execution: no task has a runtime']);
});

test('needs of left-out and of done work are told where they lead nowhere', () => {
  const workflow = read(`jobs:
    a: { steps: [{ run: ls }] }
    b: { if: failure(), needs: [nope, b] }`);
  expect(told(workflow)).toEqual([
    'unsupported jobs.b.if: the job has a condition: failure()',
    'dangling jobs.b.needs: ‘b’ waits for ‘nope’, which is not in the file',
    'circular jobs.b.needs: ‘b’ waits for itself',
  ]);
  const list = read({
    tasks: [
      { id: 1, title: 'One' },
      { id: 2, title: 'Two', status: 'done', dependencies: [8] },
      { id: 3, title: 'Three', status: 'cancelled', dependencies: [9] },
    ],
  });
  expect(list.findings.map(({ kind, where }) => `${kind} ${where}`)).toEqual([
    'dangling tasks[1].dependencies',
    'dangling tasks[2].dependencies',
  ]);
});

test('beads: links of another issue and links of an unknown type', () => {
  const plan = read(
    [
      { id: 'a', title: 'A', status: 'open', priority: 1 },
      {
        id: 'b',
        title: 'B',
        status: 'open',
        dependencies: [
          { issue_id: 'c', depends_on_id: 'a', type: 'blocks' },
          { issue_id: 'b', depends_on_id: 'a', type: 'blokcs' },
          { issue_id: 'b', depends_on_id: 'a', type: 'related' },
        ],
      },
    ]
      .map((issue) => JSON.stringify(issue))
      .join('\n'),
  );
  expect(told(plan)).toEqual([
    'value line 2, dependencies: the link to ‘a’ is one of ‘c’, and stands at ‘b’',
    'value line 2, dependencies: the link to ‘a’ has the unknown type ‘blokcs’',
  ]);
  expect(plan.flow.tasks[1]!.needs).toEqual(['a']);
});

test('of two tasks with one id each keeps its own needs, and what names the id means the first', () => {
  const graph = ({ flow }: ImportedPlan) =>
    Object.fromEntries(flow.tasks.map(({ name, needs }) => [name, needs]));
  const expected = { a: [], b: [], c: ['a'], 'c (2)': ['b'], d: ['c'] };
  const node = (id: string, ...parents: string[]) => ({ id, name: id, parents });
  const tasks = [node('a'), node('b'), node('c', 'a'), node('c', 'b'), node('d', 'c')];
  expect(graph(read({ workflow: { specification: { tasks } } }))).toEqual(expected);
  const queue = tasks.map(({ id, parents }) => ({ id, title: id, blockedBy: parents }));
  expect(graph(read({ tasks: queue }))).toEqual(expected);
});

test('two tasks that are the same are one, with needs as well as without', () => {
  const tasks = [
    { id: 1, title: 'One' },
    { id: 2, title: 'Two', dependencies: [1] },
    { id: 2, title: 'Two', dependencies: [1] },
  ];
  const plan = read({ tasks });
  expect(plan.flow.tasks.map(({ name }) => name)).toEqual(['1', '2']);
  expect(plan.findings).toMatchObject([{ kind: 'duplicate', done: 'It is imported once.' }]);
  const queue = read({
    tasks: [
      { id: 'a', title: 'A', blocks: ['b'] },
      { id: 'b', title: 'B' },
      { id: 'b', title: 'B' },
    ],
  });
  expect(queue.flow.tasks).toMatchObject([{ name: 'a' }, { name: 'b', needs: ['a'] }]);
});
