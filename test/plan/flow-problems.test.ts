import { describe, expect, test } from 'vitest';
import { parseFlow } from '../../src/plan/flow-file.js';
import { FlowProblems, type Problem } from '../../src/plan/problems.js';

function problemsOf(text: string): readonly Problem[] {
  try {
    parseFlow(text, { file: 'f.yaml' });
  } catch (error) {
    if (error instanceof FlowProblems) return error.problems;
    throw error;
  }
  return [];
}

const linesOf = (text: string): string[] =>
  problemsOf(text).map(({ line, column, message }) => `${line}:${column} ${message}`);

/** A file whose tasks are these, from line 3 on. */
const tasks = (...lines: string[]): string => ['name: x', 'tasks:', ...lines].join('\n');

describe('a file with mistakes', () => {
  test('has all of them named at once, with places and remedies', () => {
    const text = `name: 3
projct: site
priority: hihg
tasks:
  build:
    neds: lint
    run: make
    timeout: 5 minutes
  lint:
    needs: [biuld, test]
    run: lint \${{ parameters.level }}
  test:
    needs: lint
    capability: gates
    with: {}
  build:
    run: make
`;
    const error = expect(() => parseFlow(text, { file: 'flows/x.yaml' }));
    error.toThrow(FlowProblems);
    expect(problemsOf(text)).toHaveLength(10);
    error.toThrow(
      [
        "flows/x.yaml:1:7: `name` must be text, not `3`. What belongs here: The goal's title.",
        'flows/x.yaml:2:1: unknown key `projct` in the file. Did you mean `project`?',
        'flows/x.yaml:3:11: `priority` must be one of urgent, high, normal, low, not `hihg`. Did you mean `high`?',
        'flows/x.yaml:6:5: unknown key `neds` in task `build`. Did you mean `needs`?',
        'flows/x.yaml:8:14: `timeout` of task `build` is not a duration. What belongs here: Limit for one attempt; none unless given. Written as milliseconds, or a number with its unit: 500ms, 30s, 5m, 1h, 2d.',
        'flows/x.yaml:10:13: task `lint` needs `biuld`, which is not in this file. Did you mean `build`?',
        'flows/x.yaml:10:20: the needs go round in a circle: lint -> test -> lint. Remove one of these needs; each task waits for the one its arrow points to.',
        'flows/x.yaml:11:10: `${{ parameters.level }}` names no parameter. Declare it under `parameters`.',
      ].join('\n'),
    );
  });

  test.each([
    [
      'a word of another tool',
      '  a: {run: x, depends_on: b}',
      '3:15 unknown key `depends_on` in task `a`',
    ],
    [
      'an unknown key deep inside',
      '  a: {run: x, retry: {backoff: {delai: 1}}}',
      '3:33 unknown key `delai` in `retry.backoff` of task `a`',
    ],
    ['a list for text', '  a: {run: [x]}', '3:12 `run` of task `a` must be text, not a list'],
    ['needs without a value', '  a: {run: x, needs: }', '3:15 `needs` of task `a` has no value'],
    [
      'a need of the wrong type',
      '  a: {run: x, needs: [{b: c}]}',
      '3:23 `needs[0]` of task `a` must be text, a number or true or false, not a map',
    ],
    ['a task without a value', '  a:', '3:3 task `a` has no value'],
    ['both run and with', '  a: {run: x, with: {}}', '3:15 task `a` has both `run` and `with`'],
    [
      'neither run nor with',
      '  a: {capability: shell}',
      '3:3 task `a` has neither `run` nor `with`',
    ],
    ['no capability', '  a: {with: {}}', '3:3 task `a` names no capability'],
    [
      "a queue of the engine's own",
      '  a: {run: x, capability: relays}',
      '3:27 `capability` of task `a` names a queue of the engine itself; choose another capability',
    ],
    [
      'such a queue out of a matrix',
      '  a: {run: x, capability: "${{ matrix.c }}", matrix: {c: [ok, goals]}}',
      '3:27 `capability` of task `a` names a queue of the engine itself; choose another capability',
    ],
    ['a need for itself', '  a: {run: x, needs: a}', '3:22 task `a` needs itself'],
    [
      'an id with control characters',
      '  "a\\e[2J": {run: x}',
      '3:3 task `a\uFFFD[2J` must not contain control characters',
    ],
    [
      'an id that is too long',
      `  ? ${'a'.repeat(201)}\n  : {run: x}`,
      `3:5 task \`${'a'.repeat(80)}…\` is longer than 200 characters`,
    ],
    [
      'a duration beyond what a timer holds',
      '  a: {run: x, timeout: 30d}',
      '3:24 `timeout` of task `a` must be at most 24 days',
    ],
    [
      'a timeout of nothing',
      '  a: {run: x, timeout: 0s}',
      '3:24 `timeout` of task `a` must be at least 1',
    ],
    ['a check of nothing', '  a: {run: x, check: ""}', '3:22 `check` of task `a` is empty'],
    [
      'a matrix without values',
      '  a: {run: x, matrix: {n: []}}',
      '3:27 `matrix.n` of task `a` is empty',
    ],
    [
      'a matrix without variables',
      '  a: {run: x, matrix: {}}',
      '3:23 `matrix` of task `a` has no variables',
    ],
    [
      'equal values in a matrix',
      '  a: {run: x, matrix: {n: [1, 1]}}',
      '3:3 the name `a (1)` comes up twice in its matrix',
    ],
    [
      'one name from two tasks',
      '  a: {run: x, matrix: {n: [1]}}\n  a (1): {run: x}',
      '4:3 the name `a (1)` comes up for two tasks',
    ],
    [
      'an unknown matrix variable',
      '  a: {run: "${{ matrix.os }}", matrix: {osx: [1]}}',
      '3:12 `${{ matrix.os }}` names no matrix variable',
    ],
    [
      'a matrix that refers to itself',
      '  a: {run: x, matrix: {n: ["${{ matrix.n }}"]}}',
      '3:28 `${{ matrix.n }}` names no matrix variable',
    ],
    [
      'a reference to something else',
      '  a: {run: "${{ github.sha }}"}',
      '3:12 `${{ github.sha }}` is no reference',
    ],
    [
      'a reference that is never closed',
      '  a: {run: "${{ matrix.n"}',
      '3:12 `${{ matrix.n` is no reference',
    ],
    [
      'a name for Object.prototype',
      '  __proto__: {run: x}\n  a: {run: x}',
      '3:3 `__proto__` cannot be a key',
    ],
    ['a key twice', '  a: {run: x, run: y}', '3:15 `run` is there twice; the first is in line 3'],
    ['an alias without an anchor', '  a: *b', '3:6 alias `*b` has no finished anchor before it'],
    [
      'an alias for what it is in',
      '  a: &a {run: x, with: *a}',
      '3:24 alias `*a` has no finished anchor before it',
    ],
    [
      'a merge of something that is no map',
      '  a: {<<: x}',
      '3:11 `<<` merges something that is no map',
    ],
    [
      'a value that JSON has not',
      '  a: {capability: c, with: {n: .nan}}',
      '3:32 `with.n` of task `a` must be text, a number, true or false, nothing, a list or a map, not `NaN`',
    ],
    ['tabs', '\ta: {run: x}', '3:1 Tabs are not allowed as indentation'],
    ['an open quote', '  a: {run: "x}', '3:15 Missing closing "quote'],
  ])('%s', (_, lines, problem) => {
    expect(linesOf(tasks(lines))).toContain(problem);
  });

  test.each([
    ['a misspelt run', '  a: {rnu: x}', '3:7 unknown key `rnu` in task `a`'],
    ['another tool’s word for run', '  a: {command: x}', '3:7 unknown key `command` in task `a`'],
    ['a misspelt with', '  a: {wiht: {}, capability: x}', '3:7 unknown key `wiht` in task `a`'],
    ['nothing to do', '  a: {check: x}', '3:3 task `a` has neither `run` nor `with`'],
  ])('%s is one problem', (_, lines, problem) => {
    expect(linesOf(tasks(lines))).toEqual([problem]);
  });

  test('a name that cannot be one is told what a name is', () => {
    expect(problemsOf(tasks('  "": {run: x}'))).toMatchObject([
      { message: 'task `` is empty', remedy: expect.stringContaining('an id of 1 to 200') },
    ]);
  });

  test('a task that is no map is told what a task is', () => {
    expect(problemsOf(tasks('  a: echo hi'))).toMatchObject([
      {
        message: 'task `a` must be a map, not `echo hi`',
        remedy: expect.stringContaining('`run`'),
      },
    ]);
  });

  test.each([
    ['an empty file', '', '1:1 the file is empty'],
    ['only comments', '# later\n', '1:1 the file is empty'],
    ['a list', '- a\n- b\n', '1:1 a flow file is a map, and this is not'],
    ['two documents', 'name: x\n---\nname: y\n', '2:1 a second YAML document begins here'],
    ['no tasks', 'name: x\ntasks: {}\n', '2:8 `tasks` has no tasks'],
    [
      'a project that is a path',
      'name: x\nproject: ../etc\ntasks: {a: {run: x}}',
      "2:10 `project` must be a letter, then letters, digits, '-' or '_', 64 characters at most",
    ],
  ])('%s', (_, text, problem) => {
    expect(linesOf(text)).toEqual([problem]);
  });

  test('a missing name is looked for where the file begins', () => {
    expect(linesOf('# flow\ntasks: {a: {run: x}}')).toEqual(['2:1 `name` is missing']);
  });

  test('a mistake in one task does not hide a dangling need on it, nor invent one', () => {
    const lines = linesOf(
      tasks(
        '  a: {run: 3, needs: c}',
        '  b: {run: x, needs: [a, "m (1)"]}',
        '  m: {run: x, matrix: [1]}',
      ),
    );
    expect(lines).toEqual([
      '3:12 `run` of task `a` must be text, not `3`',
      '3:22 task `a` needs `c`, which is not in this file',
      '5:23 `matrix` of task `m` must be a map, not a list',
    ]);
  });

  test('cycles that share no task are named one by one', () => {
    const text = tasks(
      '  a: {run: x, needs: b}',
      '  b: {run: x, needs: a}',
      '  c: {run: x, needs: d}',
      '  d: {run: x, needs: c}',
    );
    expect(linesOf(text)).toEqual([
      '3:22 the needs go round in a circle: a -> b -> a',
      '5:22 the needs go round in a circle: c -> d -> c',
    ]);
  });

  test('that an alias shares are named once', () => {
    const text = tasks('  a: &a {run: x, zz: 1, retry: {attempts: 0}}', '  b: *a', '  c: {<<: *a}');
    expect(linesOf(text)).toEqual([
      '3:18 unknown key `zz` in task `a`',
      '3:43 `retry.attempts` of task `a` must be at least 1',
    ]);
  });

  test('in great number gives a message that can be read, and a list that is complete', () => {
    const text = tasks(
      '  a:',
      '    run: x',
      ...Array.from({ length: 500 }, (_, n) => `    zz${n}: 1`),
    );
    const [problems, message] = [problemsOf(text), messageOf(text)];
    expect(problems).toHaveLength(500);
    expect(message.split('\n')).toHaveLength(101);
    expect(message).toContain('and 400 more problems');
  });
});

function messageOf(text: string): string {
  try {
    parseFlow(text, { file: 'f.yaml' });
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return '';
}

test('a key has one limit in a plan', () => {
  const text = tasks(
    '  a: { run: ls, concurrency: { key: db, limit: 2 } }',
    '  b: { run: ls, concurrency: { key: db, limit: 2 } }',
    '  c:',
    '    run: ls',
    '    concurrency: { key: db }',
  );
  expect(linesOf(text)).toEqual(['7:5 task `c` allows 1 of `db` at once, and `a` allows 2']);
});
