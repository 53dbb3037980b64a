/** Values that are not what their format says: spared where that is safe, told where they stand, else refused. */
import { describe, expect, test } from 'vitest';
import { type ImportedPlan, parsePlan } from '../../../src/plan/import/import-plan.js';

const read = (value: unknown, file = 'plan.json'): ImportedPlan =>
  parsePlan(typeof value === 'string' ? value : JSON.stringify(value), file);

const lines = (...issues: readonly object[]): string =>
  issues.map((issue) => JSON.stringify(issue)).join('\n');

const told = ({ findings }: ImportedPlan): string[] =>
  findings.map(({ where, message, done }) => `${where}: ${message}. ${done}`);

const names = ({ flow }: ImportedPlan): string[] => flow.tasks.map(({ name }) => name);

describe('a value that can be spared is left out, and the work imported without it', () => {
  test('of beads', () => {
    const plan = read(
      lines(
        { id: 'a', title: 'A', status: 'open', priority: 1, estimated_minutes: -3 },
        { id: 'b', title: 5, status: 'open', priority: 'high', labels: ['x', 1, 2] },
      ),
    );
    expect(plan.flow.tasks.map(({ name, expected }) => [name, expected])).toEqual([
      ['a', undefined],
      ['b', undefined],
    ]);
    expect(told(plan)).toEqual([
      'line 1.estimated_minutes: estimated_minutes must be at least 0. It is left out.',
      'line 2.title: title must be text, not `5`. It is left out.',
      'line 2.priority: priority must be a number, not `high`. It is left out.',
      'line 2.labels: labels[1] must be text, not `1`. It is left out.',
    ]);
  });

  test('of blackbox5 and Taskmaster', () => {
    const queue = read(
      'tasks: [{ id: A, status: pending, blocks: [], estimated_minutes: -3, priority: 7 }]',
    );
    expect(names(queue)).toEqual(['A']);
    expect(told(queue)).toEqual([
      'tasks[0].priority: priority must be text, not `7`. It is left out.',
      'tasks[0].estimated_minutes: estimated_minutes must be at least 0. It is left out.',
    ]);
    const list = read({ web: { tasks: [{ id: 1, title: 'One', details: ['no text'] }] } });
    expect(list.flow.tasks[0]!.with).toEqual({ title: 'One' });
    expect(told(list)).toEqual([
      'web.tasks[0].details: details must be text, not a list. It is left out.',
    ]);
  });

  test('of Auto-Claude, whose check is told where it cannot be read', () => {
    const subtask = { id: 'a', description: 'Do it', status: 'pending', verification: 7 };
    const plan = read({ phases: [{ subtasks: [subtask], chunks: [{ id: 'b' }] }] });
    expect(names(plan)).toEqual(['a']);
    expect(told(plan)).toEqual([
      'phases[0].subtasks[0].verification: verification must be a map, not `7`. It is left out.',
      'phases[0].chunks: phase ‘1’ has subtasks and chunks. The chunks are left out.',
    ]);
  });

  test('of GitHub', () => {
    const plan = read(`jobs:
      a:
        timeout-minutes: \${{ matrix.minutes }}
        continue-on-error: perhaps
        steps: [{ run: ls, continue-on-error: 1 }]`);
    expect(plan.flow.tasks).toMatchObject([{ name: 'a', optional: false }]);
    expect(plan.flow.tasks[0]!.timeout).toBeUndefined();
    expect(plan.findings.map(({ where }) => where)).toEqual([
      'jobs.a.steps[0].continue-on-error',
      'jobs.a.timeout-minutes',
      'jobs.a.continue-on-error',
    ]);
  });
});

test('what has no id is called after its place', () => {
  const list = read({
    tasks: [
      { id: 1, title: 'One' },
      { title: 'Two', subtasks: [{ title: 'Below' }] },
    ],
  });
  expect(names(list)).toEqual(['1', 'tasks[1].subtasks[0]', 'tasks[1]']);
  expect(list.findings.map(({ where }) => where)).toEqual(['tasks[1].subtasks[0]', 'tasks[1]']);
  const issues = lines({ id: 'a', title: 'A', priority: 1 }, { id: ' ', title: 'B' });
  expect(names(read(issues))).toEqual(['a', 'line 2']);
  expect(names(read('tasks: [{ title: Two, blocks: [] }]'))).toEqual(['tasks[0]']);
});

test.each([
  [{ tasks: [{ id: 1, title: 'One', status: 5 }] }, 'tasks[0].status must be text, not `5`'],
  [{ tasks: [{ id: {}, title: 'One' }] }, 'tasks[0].id must be text or a number'],
  [{ tasks: [{ status: 'pending' }] }, 'tasks[0] has neither an id nor a title'],
  [{ tasks: ['One'] }, 'tasks[0] must be a map, not `One`'],
  [
    lines({ id: 'a', title: 'A', dependencies: [{ type: 'blocks' }] }, { id: 'b' }),
    'line 1.dependencies[0].depends_on_id is missing',
  ],
  ['jobs: { a: { if: [], steps: [{ run: ls }] } }', 'jobs.a.if must be'],
  ['jobs: { labels: { if: [], steps: [{ run: ls }] } }', 'jobs.labels.if must be'],
])('what decides whether and when work is done is refused: %j', (value, problem) => {
  expect(() => read(value, 'some/plan')).toThrow(
    expect.objectContaining({
      code: 'bad-input',
      message: expect.stringContaining(`some/plan cannot be read: ${problem}`) as string,
      remedy: 'Correct it in some/plan; nothing was imported.',
    }) as Error,
  );
});
