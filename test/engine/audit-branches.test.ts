/** The audit asks git: every way in which a goal's branch may contradict the log is found. */
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { audit, type AuditReport } from '../../src/engine/audit/audit.js';
import { Projects } from '../../src/engine/workspaces/projects.js';
import { Log } from '../../src/log/log.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const environment = { PATH: process.env['PATH'] ?? '' };
let data: string;

function git(dir: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=Someone', '-c', 'user.email=someone@example.org'];
  return execFileSync('git', [...identity, ...args], { cwd: dir, encoding: 'utf8' }).trim();
}

const shell = (name: string, more: object = {}) => ({
  name,
  capability: 'shell',
  run: `echo ${name} > ${name}`,
  ...more,
});

beforeAll(async () => {
  data = bed.folder();
  const drover = await bed.start({ dataDir: data });
  await drover.agent('shell', 'shell');
  const tasks = [shell('one'), shell('two', { needs: ['one'] })];
  await (await drover.enqueue({ title: 'Count', project: 'shop', tasks })).done();
  const landed = () => drover.ledger.board.goal('goal-1')!.landed;
  await vi.waitUntil(() => landed() !== null, { timeout: 30_000 });
  await drover.close();
});

async function hear(projectsDir: string): Promise<AuditReport> {
  const log = Log.read(data);
  try {
    const projects = new Projects({ projectsDir, dataDir: bed.folder(), environment });
    return await audit({ log, projects, running: false });
  } finally {
    log.close();
  }
}

const BRANCH = 'refs/heads/autonomous/goal-1';

/** A commit with the tree of the branch's tip, or another one. */
function commitOn(dir: string, message: string, tree = `${BRANCH}^{tree}`): string {
  return git(dir, 'commit-tree', git(dir, 'rev-parse', tree), '-p', BRANCH, '-m', message);
}

test('git agrees with a goal that has landed', async () => {
  const report = await hear(join(data, 'projects'));
  expect(report).toMatchObject({ agrees: true, notes: [] });
  expect(report.heard).toContain('git');
});

test.each([
  {
    what: 'a merge that is gone',
    spoil: (dir: string) => git(dir, 'update-ref', BRANCH, `${BRANCH}~1`),
    found: { task: 'task-2', field: 'commit' },
  },
  {
    what: 'a merge that nobody told',
    spoil: (dir: string) => {
      const trailers = 'Drover-Task: task-2\nDrover-Claim: 2\nDrover-Goal: goal-1';
      git(dir, 'update-ref', BRANCH, commitOn(dir, `two: again\n\n${trailers}`));
    },
    found: { task: 'task-2', field: 'commit' },
  },
  {
    what: 'a merge of another task under its commit’s name',
    spoil: (dir: string) => {
      const trailers = 'Drover-Task: task-9\nDrover-Claim: 1\nDrover-Goal: goal-1';
      git(dir, 'update-ref', BRANCH, commitOn(dir, `nine\n\n${trailers}`));
    },
    found: { task: 'task-9', field: 'commit' },
  },
  {
    what: 'a branch that is gone, of a goal that is not in the base branch either',
    spoil: (dir: string) => {
      git(dir, 'update-ref', '-d', BRANCH);
      git(dir, 'update-ref', '-d', 'refs/drover/goals/goal-1');
      git(dir, 'update-ref', 'refs/heads/main', git(dir, 'rev-list', '--max-parents=0', 'main'));
    },
    found: { task: null, field: 'branch' },
  },
  {
    what: 'a base branch that lost what landed',
    spoil: (dir: string) =>
      git(dir, 'update-ref', 'refs/heads/main', git(dir, 'rev-list', '--max-parents=0', 'main')),
    found: { task: null, field: 'landed' },
  },
  {
    what: 'a claim on a task that is done',
    spoil: (dir: string) => git(dir, 'update-ref', 'refs/drover/claims/task-1', BRANCH),
    found: { task: 'task-1', field: 'claim' },
  },
  {
    what: 'a STATE.yaml at the tip that says otherwise',
    spoil: (dir: string) => {
      git(dir, 'checkout', '-q', '--detach', BRANCH);
      rmSync(join(dir, 'STATE.yaml'));
      git(dir, 'commit', '-qam', 'Forget');
      git(dir, 'update-ref', BRANCH, 'HEAD');
      git(dir, 'checkout', '-q', 'main');
    },
    found: { task: 'task-1', field: 'STATE.yaml' },
  },
  {
    what: 'a STATE.yaml at the tip that cannot be read',
    spoil: (dir: string) => {
      git(dir, 'checkout', '-q', '--detach', BRANCH);
      writeFileSync(join(dir, 'STATE.yaml'), 'goals: [\n');
      git(dir, 'commit', '-qam', 'Damage');
      git(dir, 'update-ref', BRANCH, 'HEAD');
      git(dir, 'checkout', '-q', 'main');
    },
    found: { task: null, field: 'STATE.yaml' },
  },
])('it finds $what', async ({ spoil, found }) => {
  const projects = bed.folder('projects');
  const dir = join(projects, 'shop');
  cpSync(join(data, 'projects', 'shop'), dir, { recursive: true });
  spoil(dir);
  const report = await hear(projects);
  expect(report.agrees).toBe(false);
  expect(report.disagreements).toContainEqual(
    expect.objectContaining({ witnesses: ['log', 'git'], goal: 'goal-1', ...found }),
  );
});

test('a repository that cannot be reached is no contradiction, and is told', async () => {
  const projects = bed.folder('projects');
  expect(await hear(projects)).toMatchObject({
    agrees: true,
    notes: [expect.stringContaining('Git was not heard about the project shop')],
  });
  writeFileSync(join(projects, 'shop.yaml'), 'repository: /nowhere/at/all\n');
  expect(await hear(projects)).toMatchObject({
    agrees: true,
    notes: [expect.stringContaining('There is no repository in /nowhere/at/all')],
  });
});
