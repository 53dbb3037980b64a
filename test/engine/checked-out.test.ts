/** Somebody has a goal's branch checked out: it does not move under them, and goes on when they have gone. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Drover } from '../../src/index.js';
import { git, registerRepository } from '../support/git.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

const BRANCH = 'autonomous/goal-1';

/** A goal whose first task is merged, and whose second one waits until it may go on. */
async function halfWay(): Promise<{
  drover: Drover;
  repository: string;
  goOn: () => void;
  told: () => Promise<string>;
}> {
  const data = bed.folder();
  const repository = bed.folder('theirs');
  registerRepository(join(data, 'projects'), repository);
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  await drover.agent('shell', 'shell');
  const [here, go] = [join(data, 'here'), join(data, 'go')];
  const wait = `touch ${here}; until [ -e ${go} ]; do sleep 0.05; done`;
  const retry = { attempts: 1 };
  await drover.enqueue({
    title: 'Count',
    project: 'shop',
    tasks: [
      { name: 'one', capability: 'shell', run: 'echo 1 > one', retry },
      // An agent may check out what it likes in its own worktree.
      {
        name: 'two',
        capability: 'shell',
        run: `${wait}; echo 2 > two; git add two; git switch -q --ignore-other-worktrees ${BRANCH}`,
        needs: ['one'],
        retry,
      },
    ],
  });
  await expect.poll(() => existsSync(here)).toBe(true);
  const reasons = (): string[] =>
    [...drover.ledger.log.events({ goal: 'goal-1', types: ['attempt.hindered'] })].map(
      ({ event }) => (event.type === 'attempt.hindered' ? event.reason : ''),
    );
  return {
    drover,
    repository,
    goOn: () => writeFileSync(go, ''),
    async told() {
      await expect.poll(() => reasons().length).toBeGreaterThan(0);
      return reasons()[0]!;
    },
  };
}

it('in their own checkout: it stays as it is, and what they commit there is kept', async () => {
  const { drover, repository, goOn, told } = await halfWay();
  git(repository, 'switch', '-q', BRANCH);
  const tip = git(repository, 'rev-parse', BRANCH);
  goOn();
  expect(await told()).toContain(`${BRANCH} is checked out in ${repository}, so it is not moved`);
  expect(git(repository, 'rev-parse', BRANCH)).toBe(tip);
  expect(git(repository, 'status', '--porcelain')).toBe('');
  writeFileSync(join(repository, 'mine'), 'mine\n');
  git(repository, 'add', 'mine');
  git(repository, 'commit', '-qm', 'By a person');
  git(repository, 'switch', '-q', 'trunk');
  const report = await drover.goal('goal-1').done();
  expect(report).toMatchObject({ state: 'DONE', tasks: [{ claims: 1 }, { claims: 1 }] });
  const files = git(repository, 'ls-tree', '--name-only', BRANCH).split('\n');
  expect(files).toEqual(expect.arrayContaining(['mine', 'one', 'readme', 'two']));
  expect(git(repository, 'status', '--porcelain')).toBe('');
});

it('in a worktree of theirs: it goes on when that is detached, whose files stay', async () => {
  const { drover, repository, goOn, told } = await halfWay();
  const look = join(bed.folder('look'), 'look');
  git(repository, 'worktree', 'add', '-q', look, BRANCH);
  goOn();
  expect(await told()).toContain(`is checked out in ${look}`);
  git(look, 'switch', '-q', '--detach');
  expect((await drover.goal('goal-1').done()).state).toBe('DONE');
  expect(git(look, 'status', '--porcelain')).toBe('');
  expect(git(look, 'ls-files').split('\n')).not.toContain('two');
  expect(git(repository, 'show', `${BRANCH}:two`)).toBe('2');
});

it('while it is rolled back: nothing starts until it has gone back', async () => {
  const { drover, repository, goOn } = await halfWay();
  goOn();
  expect((await drover.goal('goal-1').done()).state).toBe('DONE');
  const tip = git(repository, 'rev-parse', BRANCH);
  git(repository, 'switch', '-q', BRANCH);
  await expect(drover.rollback('goal-1', 'task-1', 'again')).rejects.toMatchObject({
    code: 'hindered',
    message: expect.stringContaining(`is checked out in ${repository}`),
  });
  expect(git(repository, 'rev-parse', BRANCH)).toBe(tip);
  expect(git(repository, 'status', '--porcelain')).toBe('');
  git(repository, 'switch', '-q', 'trunk');
  expect((await drover.goal('goal-1').done()).state).toBe('DONE');
  expect(git(repository, 'rev-parse', 'refs/drover/rolled-back/goal-1.1')).toBe(tip);
  const { tasks } = await drover.goal('goal-1').report();
  expect(tasks.map(({ claims }) => claims)).toEqual([1, 2]);
});

it('a task’s branch: nothing is committed to it under them', async () => {
  const { drover, repository, goOn } = await halfWay();
  git(repository, 'switch', '-q', 'autonomous/task-2');
  goOn();
  // It has no commit yet, and gets none under them.
  await expect
    .poll(
      () => [...drover.ledger.log.events({ goal: 'goal-1', types: ['attempt.hindered'] })].length,
    )
    .toBeGreaterThan(0);
  expect(git(repository, 'status', '--porcelain')).toBe('');
  git(repository, 'switch', '-q', '--detach');
  expect((await drover.goal('goal-1').done()).state).toBe('DONE');
  expect(git(repository, 'status', '--porcelain')).toBe('');
  expect(git(repository, 'branch', '--list', 'autonomous/task-*')).toBe('');
});
