import { describe, expect, test } from 'vitest';
import { parseFlow } from '../../src/plan/flow-file.js';
import { FlowProblems, problemLines } from '../../src/plan/problems.js';

const parse = (text: string, parameters: Record<string, string> = {}) =>
  parseFlow(text, { file: 'f.yaml', parameters }).flow;

/** The problems as lines, without remedies that are of no interest. */
function problemsOf(text: string, parameters: Record<string, string> = {}): string[] {
  try {
    parse(text, parameters);
  } catch (error) {
    if (error instanceof FlowProblems) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('a flow file', () => {
  test('becomes a plan with everything spelled out', () => {
    const flow = parse(`
name: Release
project: site
priority: high
tasks:
  build:
    title: Build it
    run: make
    env: { LEVEL: 3, STRICT: true, VERSION: 1.10 }
    secrets: [TOKEN]
    timeout: 1.5h
    retry:
      attempts: 5
      backoff: { type: fixed, delay: 500ms, jitter: 0, cap: 2d }
      unless: [SyntaxError]
    check: test -f out
  ship:
    needs: build
    capability: developer
    with: { where: [eu, 3] }
    check: { run: curl localhost, timeout: 30s }
    optional: true
    priority: low
`);
    expect(flow).toEqual({
      title: 'Release',
      project: 'site',
      priority: 'high',
      tasks: [
        {
          name: 'build',
          title: 'Build it',
          capability: 'shell',
          needs: [],
          run: 'make',
          env: { LEVEL: '3', STRICT: 'true', VERSION: '1.10' },
          secrets: ['TOKEN'],
          timeout: 5_400_000,
          retry: {
            attempts: 5,
            backoff: { type: 'fixed', delay: 500, jitter: 0, cap: 172_800_000 },
            unless: ['SyntaxError'],
          },
          check: { run: 'test -f out', timeout: 300_000 },
          optional: false,
        },
        {
          name: 'ship',
          capability: 'developer',
          needs: ['build'],
          with: { where: ['eu', 3] },
          env: {},
          secrets: [],
          retry: {
            attempts: 3,
            backoff: { type: 'exponential', delay: 1_000, jitter: 0.5, cap: 60_000 },
            unless: [],
          },
          check: { run: 'curl localhost', timeout: 30_000 },
          optional: true,
          priority: 'low',
        },
      ],
    });
  });

  test('has normal priority and no project unless it says so', () => {
    const flow = parse('name: x\ntasks: { a: { run: x } }');
    expect(flow).toMatchObject({ priority: 'normal' });
    expect(flow).not.toHaveProperty('project');
  });

  test('keeps the order of tasks, also where ids look like numbers', () => {
    const { tasks } = parse(
      'name: x\ntasks:\n  b: {run: x}\n  2: {run: x}\n  1: {run: x}\n  a: {run: x}',
    );
    expect(tasks.map(({ name }) => name)).toEqual(['b', '2', '1', 'a']);
  });

  test('takes ids and needs as they are written', () => {
    const { tasks } = parse(`
name: x
tasks:
  1.10: { run: x }
  1.1: { run: x, needs: 1.10 }
  true: { run: x, needs: [1.1] }
  größe ✓ 日本: { run: x, needs: [true] }
  constructor: { run: x, needs: größe ✓ 日本 }
  toString: { run: x, needs: [constructor, constructor] }
`);
    expect(tasks.map(({ name, needs }) => [name, needs])).toEqual([
      ['1.10', []],
      ['1.1', ['1.10']],
      ['true', ['1.1']],
      ['größe ✓ 日本', ['true']],
      ['constructor', ['größe ✓ 日本']],
      ['toString', ['constructor']],
    ]);
  });

  test.each([
    ['a byte order mark', '\uFEFFname: x\ntasks: { a: { run: x } }'],
    ['Windows line ends', 'name: x\r\ntasks:\r\n  a:\r\n    run: x\r\n'],
    ['a huge indentation', `name: x\ntasks:\n${' '.repeat(100_000)}a: { run: x }`],
    ['a YAML 1.1 directive', '%YAML 1.1\n---\nname: x\ntasks: { a: { run: x } }'],
  ])('may have %s', (_, text) => {
    expect(parse(text)).toMatchObject({ title: 'x', tasks: [{ name: 'a', run: 'x' }] });
  });

  test('may use anchors, aliases and merge keys; what is written in the task itself counts', () => {
    const { tasks } = parse(`
name: x
tasks:
  a: &a { run: make, timeout: 5s, env: { A: 1 } }
  b:
    timeout: 9s
    <<: *a
  c: { <<: [{ title: first }, { title: second, run: x }], needs: [a, b] }
`);
    expect(tasks).toMatchObject([
      { name: 'a', run: 'make', timeout: 5_000 },
      { name: 'b', run: 'make', timeout: 9_000, env: { A: '1' } },
      { name: 'c', run: 'x', title: 'first' },
    ]);
  });
});

describe('parameters', () => {
  const text = `
name: Deploy \${{ parameters.version }}
parameters:
  version:
  port: { default: 8080, type: number, description: Where it listens }
  dry: { default: false, type: boolean }
  node: 3.10
tasks:
  a:
    capability: developer
    title: on \${{parameters.node}}
    with:
      port: \${{ parameters.port }}
      dry: [" \${{ parameters.dry }} "]
      url: http://localhost:\${{ parameters.port }}
      node: \${{ parameters.node }}
`;

  test('stand in strings, and take their type where they stand alone in with', () => {
    const flow = parse(text, { version: '1.0', port: '9000' });
    expect(flow.title).toBe('Deploy 1.0');
    expect(flow.tasks[0]).toMatchObject({
      title: 'on 3.10',
      with: { port: 9000, dry: [false], url: 'http://localhost:9000', node: '3.10' },
    });
  });

  test('are not read again for references', () => {
    const flow = parse(text, { version: '${{ parameters.node }}' });
    expect(flow.title).toBe('Deploy ${{ parameters.node }}');
  });

  test('that are missing, of another type or not declared are problems, all at once', () => {
    expect(problemsOf(text, { port: 'many', verison: '1', dry: 'yes' })).toEqual([
      'f.yaml:3:1: parameter `verison` is given but not declared. Did you mean `version`?',
      'f.yaml:4:3: parameter `version` has no value. Give it a value, or write a default.',
      'f.yaml:5:3: parameter `port` must be a number, not `many`. Write a number such as 20 or 1.5.',
      'f.yaml:6:3: parameter `dry` must be a boolean, not `yes`. Write true or false.',
    ]);
  });
});

describe('a matrix', () => {
  test('becomes one task for every combination', () => {
    const { tasks } = parse(`
name: x
tasks:
  build:
    run: make \${{ matrix.os }} \${{ matrix.node }}
    matrix: { os: [linux, mac], node: [20, 3.10] }
  test:
    needs: build
    run: x
  smoke:
    needs: build (\${{ matrix.os }}, 20)
    capability: developer
    with: { os: "\${{ matrix.os }}", nodes: ["\${{ matrix.node }}"] }
    matrix: { os: [mac], node: [20] }
`);
    const names = [
      'build (linux, 20)',
      'build (linux, 3.10)',
      'build (mac, 20)',
      'build (mac, 3.10)',
    ];
    expect(tasks.map(({ name }) => name)).toEqual([...names, 'test', 'smoke (mac, 20)']);
    expect(tasks[1]).toMatchObject({ run: 'make linux 3.10' });
    expect(tasks[4]!.needs).toEqual(names);
    expect(tasks[5]).toMatchObject({
      needs: ['build (mac, 20)'],
      with: { os: 'mac', nodes: [20] },
    });
  });
});

describe('a warning', () => {
  const text =
    'name: x\ntasks:\n  a: {run: x}\n  b: {capability: develper, with: {}, matrix: {n: [1, 2]}}';

  test('names a capability that no known agent has, once', () => {
    const { warnings } = parseFlow(text, { file: 'f', knownCapabilities: ['shell', 'developer'] });
    expect(warnings).toEqual([
      {
        file: 'f',
        line: 4,
        column: 19,
        message: 'no known agent has the capability `develper`',
        remedy: 'Did you mean `developer`? The goal waits until such an agent is started.',
      },
    ]);
  });

  test('that holds of many tasks is one line, with the first few places', () => {
    const tasks = Array.from(
      { length: 96 },
      (_, index) => `  t${index}: {with: {}, capability: flows}`,
    );
    const { warnings } = parseFlow(`name: x\ntasks:\n${tasks.join('\n')}`, {
      file: 'f.yaml',
      knownCapabilities: ['shell'],
    });
    expect(warnings).toHaveLength(96);
    expect(problemLines(warnings)).toEqual([
      'f.yaml:3:30: no known agent has the capability `flows`. The goal waits until such an agent is started. (96 times; also at 4:30, 5:30, 6:30 and 92 more)',
    ]);
  });

  test('is not given where nobody said which capabilities there are', () => {
    expect(parseFlow(text, { file: 'f' }).warnings).toEqual([]);
  });

  test('names a tag that means nothing', () => {
    const { warnings } = parseFlow('name: !!binary x\ntasks: {a: {run: x}}', { file: 'f' });
    expect(warnings).toMatchObject([{ line: 1, column: 7 }]);
  });
});
