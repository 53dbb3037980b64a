/** Workflows in the form of GitHub Actions, run by the shell that runs Drover's tasks. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parsePlan } from '../../../src/plan/import/import-plan.js';

const WORKFLOW = `
name: CI
on: { push: { branches: [main] } }
env: { GREETING: hello }
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: It's a step
        working-directory: sub dir
        env: { WHO: "it's me" }
        run: |
          echo "$GREETING $WHO in $(basename "$PWD")"
          echo '\${{ env.GREETING }} again'
      - if: failure()
        run: echo never
  test:
    needs: lint
    timeout-minutes: 2
    continue-on-error: true
    env: { API: "\${{ secrets.API }}", TOKEN: "\${{ secrets.NPM_TOKEN }}" }
    strategy:
      matrix:
        os: [linux, mac]
        node: [20, 22]
        exclude: [{ os: mac, node: 20 }]
        include: [{ os: linux, extra: yes }, { os: windows, node: 22 }]
    steps:
      - run: echo \${{ matrix.os }} \${{ matrix.node }} \${{ github.sha }}
  deploy:
    needs: [test, lint]
    if: github.ref == 'refs/heads/main'
    steps: [{ run: rm -rf / }]
  announce:
    needs: [deploy, test]
    if: \${{ always() }}
    container: node
    steps: [{ uses: slack/notify@v1 }]
`;

const { flow, format, findings, dropped } = parsePlan(WORKFLOW, 'ci.yml');
const byName = new Map(flow.tasks.map((task) => [task.name, task]));

test('jobs become tasks, matrices included; what has a condition is left out and told', () => {
  expect(format).toBe('github-actions');
  expect(flow.title).toBe('CI');
  const variants = [
    'test (linux, 20, yes)',
    'test (linux, 22, yes)',
    'test (mac, 22)',
    'test (windows, 22)',
  ];
  expect(flow.tasks.map(({ name }) => name)).toEqual(['lint', ...variants, 'announce']);
  expect(byName.get('announce')).toMatchObject({
    needs: [...variants, 'lint'],
    run: 'true',
    capability: 'shell',
  });
  expect(byName.get('test (mac, 22)')).toMatchObject({
    needs: ['lint'],
    timeout: 120_000,
    optional: true,
  });
  expect(dropped.map(({ name }) => name)).toEqual(['deploy']);
  expect(findings.map(({ where }) => where)).toEqual([
    'jobs.lint.steps[0]',
    'jobs.lint.steps[2]',
    'jobs.test.steps[0].run',
    'jobs.deploy.if',
    'jobs.announce.container',
    'jobs.announce.steps[0]',
    'jobs.announce',
    'jobs.announce.needs',
  ]);
});

test('secrets are named, not copied', () => {
  const task = byName.get('test (mac, 22)')!;
  expect(task.secrets).toEqual(['API', 'NPM_TOKEN']);
  expect(task.run).toContain('export TOKEN="$NPM_TOKEN"');
  expect(task.env).toEqual({ GREETING: 'hello' });
});

test('steps run as they do there: in their folder, with their variables, until one fails', () => {
  const dir = mkdtempSync(join(tmpdir(), 'drover-steps-'));
  try {
    mkdirSync(join(dir, 'sub dir'));
    const { run, env } = byName.get('lint')!;
    const out = execFileSync('/bin/sh', ['-c', run!], {
      cwd: dir,
      env: { ...process.env, ...env },
    });
    expect(out.toString()).toBe("hello it's me in sub dir\nhello again\n");
    const failing = parsePlan(
      'jobs: { a: { steps: [{ run: "false\\necho on" }, { run: echo later }] } }',
      'x.yml',
    ).flow.tasks[0]!.run!;
    expect(() => execFileSync('/bin/sh', ['-c', failing], { stdio: 'pipe' })).toThrow();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a matrix that is computed leaves one job', () => {
  const plan = parsePlan(
    'jobs: { a: { strategy: { matrix: "${{ fromJSON(needs.x) }}" }, steps: [{ run: ls }] } }',
    'x.yml',
  );
  expect(plan.flow.tasks.map(({ name }) => name)).toEqual(['a']);
  expect(plan.findings).toMatchObject([{ kind: 'unsupported', where: 'jobs.a.strategy.matrix' }]);
});

test('of a job that is left out, nothing is told of what it would do', () => {
  const plan = parsePlan(
    `jobs:
      a: { steps: [{ run: ls }] }
      b: { uses: ./.github/workflows/b.yml, needs: a, container: node }
      c: { if: failure(), strategy: { matrix: { os: [x, y] } }, steps: [{ uses: some/action@v1 }] }`,
    'x.yml',
    { capability: 'linux' },
  );
  expect(plan.findings).toEqual([
    {
      kind: 'unsupported',
      where: 'jobs.b',
      message: 'the job is another workflow, ./.github/workflows/b.yml',
      done: 'The job is left out.',
    },
    {
      kind: 'unsupported',
      where: 'jobs.c.if',
      message: 'the job has a condition: failure()',
      done: 'The job is left out.',
    },
  ]);
  expect(plan.dropped.map(({ name, because }) => `${name} ${because}`)).toEqual([
    'b is a workflow of its own',
    'c has a condition that only GitHub can judge',
  ]);
  expect(plan.flow.tasks).toMatchObject([{ name: 'a', capability: 'linux' }]);
});
