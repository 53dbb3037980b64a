/** What is in the way of tasks' files and is nobody's fault: it is told, nothing is lost, and they go on when it is gone. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import type { Drover } from '../../src/index.js';
import { unlandedGoals } from '../../src/projections/goal-queries.js';
import { inboxOf, landingsOf } from '../../src/projections/inbox.js';
import { beginRepository, git } from '../support/git.js';
import { gitDaemon } from '../support/git-server.js';
import { testBed } from '../support/redis.js';
import { emptyDisk, fillDisk, smallDisks } from '../support/small-disk.js';

const bed = testBed();
const mountSmall = smallDisks();

interface Place {
  readonly data: string;
  readonly repository: string;
  readonly drover: Drover;
  /** How often a command of the test's tasks ran. */
  readonly runs: () => number;
  /** Files by which commands and the test wait for each other. */
  readonly signs: string;
}

/** Somebody's repository, on a disk of its own where one is given. */
async function place(own?: string, worktrees?: string): Promise<Place> {
  const data = worktrees === undefined ? bed.folder() : dirname(worktrees);
  const repository = join(own ?? bed.folder('theirs'), 'shop');
  mkdirSync(repository);
  beginRepository(repository);
  mkdirSync(join(data, 'projects'), { recursive: true });
  writeFileSync(join(data, 'projects', 'shop.yaml'), `repository: ${repository}\n`);
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  await drover.agent('shell', 'shell', { concurrency: 4 });
  const signs = bed.folder('signs');
  const runs = (): number =>
    existsSync(join(signs, 'runs')) ? readFileSync(join(signs, 'runs'), 'utf8').length : 0;
  return { data, repository, drover, runs, signs };
}

/** A command that says that it has come so far, and waits until it may go on. */
const pause = ({ signs }: Place, name: string): string =>
  `touch ${signs}/${name}; until [ -e ${signs}/${name}-go ]; do sleep 0.05; done`;

const reached = ({ signs }: Place, name: string): Promise<void> =>
  expect.poll(() => existsSync(join(signs, name))).toBe(true);

const goOn = ({ signs }: Place, name: string): void => writeFileSync(join(signs, `${name}-go`), '');

const task = (here: Place, run: string, check?: string) => ({
  name: 'one',
  capability: 'shell',
  run: `printf x >> ${here.signs}/runs; ${run}`,
  retry: { attempts: 1 },
  ...(check !== undefined && { check: { run: check } }),
});

const enqueue = ({ drover }: Place, tasks: object[]) =>
  drover.enqueue({ title: 'Count', project: 'shop', tasks: tasks as never });

const told = ({ drover }: Place): string[] =>
  [...drover.ledger.log.events({ goal: 'goal-1', types: ['attempt.hindered'] })].map(({ event }) =>
    event.type === 'attempt.hindered' ? event.reason : '',
  );

const hindered = (here: Place): Promise<void> =>
  expect.poll(() => told(here).length).toBeGreaterThan(0);

/** A disk of that many bytes; without one there is nothing to test. */
function smallDisk(context: TestContext, name: string, bytes: number): string {
  const small = mountSmall(join(bed.folder(name), name), bytes);
  return small ?? context.skip('mounting a small file system needs root');
}

it('keeps no agent from ending: what waits for it goes back at no attempt, and is not done again', async () => {
  const here = await place();
  await enqueue(here, [task(here, 'echo 1 > one', pause(here, 'check'))]);
  await reached(here, 'check');
  const lock = join(here.repository, '.git', 'refs/heads/autonomous/goal-1.lock');
  writeFileSync(lock, '');
  goOn(here, 'check');
  await hindered(here);
  await here.drover.close();
  rmSync(lock);
  const again = await bed.start({
    dataDir: here.data,
    prefix: here.drover.prefix,
    projectsDir: join(here.data, 'projects'),
  });
  await again.agent('shell', 'shell');
  const report = await again.goal('goal-1').done();
  expect(report).toMatchObject({ state: 'DONE', tasks: [{ claims: 2, attempts: 1, error: null }] });
  expect(here.runs()).toBe(1);
});

describe('a full disk', () => {
  it('while work is committed: the work waits, and is not done again', async (context) => {
    const small = smallDisk(context, 'repository', 4 * 1024 * 1024);
    const here = await place(small);
    const run = `head -c 100000 /dev/urandom > one; ${pause(here, 'work')}`;
    const goal = await enqueue(here, [task(here, run)]);
    await reached(here, 'work');
    fillDisk(small);
    goOn(here, 'work');
    await hindered(here);
    expect(told(here)[0]).toContain('The disk is full');
    expect(told(here)[0]).toContain('Make room');
    expect((await goal.report()).tasks[0]!.hindered).toBe(told(here)[0]);
    // Not where git runs for it, which is on another disk.
    expect(told(here)[0]).toContain(small);
    emptyDisk(small);
    const report = await goal.done();
    expect(report).toMatchObject({
      state: 'DONE',
      tasks: [{ claims: 1, error: null, hindered: null }],
    });
    expect(here.runs()).toBe(1);
    expect(git(here.repository, 'cat-file', '-s', 'autonomous/goal-1:one')).toBe('100000');
    expect(git(here.repository, 'fsck', '--no-dangling')).toBe('');
  });

  it('while work is merged: the branch does not move, and moves once there is room', async (context) => {
    const small = smallDisk(context, 'repository', 4 * 1024 * 1024);
    const here = await place(small);
    // The check's worktree goes before the branch moves; so it takes no room back with it.
    const keep = `[ -e ${small}/kept ] || cp -al "$(git rev-parse --absolute-git-dir)" ${small}/kept`;
    const check = `${keep}; ${pause(here, 'check')}`;
    const goal = await enqueue(here, [task(here, 'echo 1 > one', check)]);
    await reached(here, 'check');
    const before = git(here.repository, 'rev-parse', 'autonomous/goal-1');
    fillDisk(small);
    goOn(here, 'check');
    await hindered(here);
    expect(told(here)[0]).toContain('The disk is full');
    expect(git(here.repository, 'rev-parse', 'autonomous/goal-1')).toBe(before);
    emptyDisk(small);
    expect(await goal.done()).toMatchObject({ state: 'DONE', tasks: [{ claims: 1 }] });
    expect(here.runs()).toBe(1);
    expect(git(here.repository, 'show', 'autonomous/goal-1:one')).toBe('1');
    expect(git(here.repository, 'fsck', '--no-dangling')).toBe('');
  });

  it('while a worktree is made: the task begins once there is room', async (context) => {
    const small = smallDisk(context, 'worktrees', 1024 * 1024);
    const here = await place(undefined, small);
    fillDisk(small);
    const goal = await enqueue(here, [task(here, 'cat readme > one')]);
    await hindered(here);
    expect(told(here)[0]).toContain('The disk is full');
    expect(here.runs()).toBe(0);
    emptyDisk(small);
    expect(await goal.done()).toMatchObject({ state: 'DONE', tasks: [{ claims: 1 }] });
    expect(git(here.repository, 'show', 'autonomous/goal-1:one')).toBe('theirs');
  });
});

describe('a lock that a dead process left', () => {
  for (const name of ['packed-refs', 'refs/heads/autonomous/goal-1']) {
    it(`on ${name}: it is named, and the merge goes on when it is removed`, async () => {
      const here = await place();
      const goal = await enqueue(here, [task(here, 'echo 1 > one', pause(here, 'check'))]);
      await reached(here, 'check');
      // With references packed, taking one away needs the lock of the pack.
      git(here.repository, 'pack-refs', '--all');
      const lock = join(here.repository, '.git', `${name}.lock`);
      mkdirSync(dirname(lock), { recursive: true });
      writeFileSync(lock, '');
      goOn(here, 'check');
      await hindered(here);
      expect(told(here)[0]).toContain(`remove ${lock}`);
      expect(existsSync(lock)).toBe(true);
      rmSync(lock);
      expect(await goal.done()).toMatchObject({ state: 'DONE', tasks: [{ claims: 1 }] });
      expect(here.runs()).toBe(1);
      expect(git(here.repository, 'show', 'autonomous/goal-1:one')).toBe('1');
    });
  }

  it('on the index of a worktree: it is in nobody’s way', async () => {
    const here = await place();
    const run = 'touch "$(git rev-parse --absolute-git-dir)/index.lock"; echo 1 > one';
    const goal = await enqueue(here, [task(here, run, 'test -s one')]);
    expect(await goal.done()).toMatchObject({ state: 'DONE', tasks: [{ claims: 1 }] });
    expect(told(here)).toEqual([]);
    expect(git(here.repository, 'show', 'autonomous/goal-1:one')).toBe('1');
  });

  it.each(['packed-refs', 'refs/heads/autonomous/goal-1'])(
    'on %s: checks that would come to nothing do not run',
    async (name) => {
      const here = await place();
      const checks = join(here.signs, 'checks');
      const run = `echo 1 > one; ${pause(here, 'work')}`;
      const goal = await enqueue(here, [task(here, run, `echo >> ${checks}`)]);
      await reached(here, 'work');
      const lock = join(here.repository, '.git', `${name}.lock`);
      mkdirSync(dirname(lock), { recursive: true });
      writeFileSync(lock, '');
      goOn(here, 'work');
      await hindered(here);
      expect(told(here)[0]).toContain(`remove ${lock}`);
      expect(existsSync(checks)).toBe(false);
      rmSync(lock);
      expect(await goal.done()).toMatchObject({ state: 'DONE', tasks: [{ claims: 1 }] });
    },
  );

  it('on the index of a checkout: tasks go on, and the landing does when it is removed', async () => {
    const here = await place();
    const lock = join(here.repository, '.git', 'index.lock');
    writeFileSync(lock, '');
    const goal = await enqueue(here, [task(here, 'echo 1 > one')]);
    expect(await goal.done()).toMatchObject({ state: 'DONE', tasks: [{ claims: 1 }] });
    const before = git(here.repository, 'rev-parse', 'trunk');
    await here.drover.approve('goal-1');
    const view = () => here.drover.ledger.board.goal('goal-1')!;
    expect(view()).toMatchObject({ approved: true, landed: null });
    expect(view().landingTrouble).toContain(`left ${lock} behind. Remove that`);
    expect(landingsOf(unlandedGoals(here.drover.ledger.log.db), () => false)).toMatchObject([
      { id: 'goal-1', reason: expect.stringContaining('cannot land yet: Another git command') },
    ]);
    expect(git(here.repository, 'rev-parse', 'trunk')).toBe(before);
    rmSync(lock);
    await expect.poll(() => view().landed).not.toBe(null);
    expect(view().landingTrouble).toBe(null);
    expect(view().landed).toBe(git(here.repository, 'rev-parse', 'trunk'));
    expect(git(here.repository, 'status', '--porcelain')).toBe('');
    expect(readFileSync(join(here.repository, 'one'), 'utf8')).toBe('1\n');
  });
});

describe('whoever leads a merge train', () => {
  it('uses no attempt where something else keeps it from merging', async () => {
    const here = await place();
    const goal = await enqueue(here, [task(here, 'echo 1 > one', pause(here, 'check'))]);
    await reached(here, 'check');
    const branch = 'refs/heads/autonomous/goal-1';
    const tip = git(here.repository, 'rev-parse', branch);
    git(here.repository, 'update-ref', '-d', branch);
    // Where Drover had moved it last: without that nobody can tell where it was.
    git(here.repository, 'update-ref', '-d', 'refs/drover/tips/goal-1');
    goOn(here, 'check');
    await hindered(here);
    expect(told(here)[0]).toMatch(/^The branch .* is gone.* Put it back/);
    // It waits for a person until then, and no longer.
    const inbox = () => inboxOf([here.drover.ledger.board.goal('goal-1')!]);
    expect(inbox()).toMatchObject([
      { kind: 'hindered', id: 'task-1', reason: expect.stringContaining('Put it back') },
    ]);
    git(here.repository, 'update-ref', branch, tip);
    expect(await goal.done()).toMatchObject({ state: 'DONE', tasks: [{ claims: 1 }] });
    expect(inbox()).toEqual([]);
    expect(here.runs()).toBe(1);
    expect(git(here.repository, 'show', 'autonomous/goal-1:one')).toBe('1');
  });

  it('is not blamed for work of others that cannot be set up', async () => {
    const here = await place();
    const settings = `repository: ${here.repository}\nsetup: [test ! -e bad]\ncheck: ['true']\n`;
    writeFileSync(join(here.data, 'projects', 'shop.yaml'), settings);
    const names = ['a', 'b', 'bad', 'c'];
    const tasks = names.map((name) => ({ ...task(here, `echo > ${name}`), name }));
    const report = await (await enqueue(here, tasks)).done();
    expect(report.tasks.map(({ name, state }) => [name, state])).toEqual(
      names.map((name) => [name, name === 'bad' ? 'FAILED' : 'DONE']),
    );
    expect(report.tasks[2]!.error).toContain('The check `test ! -e bad` ended with 1');
  });
});

it('a server that is away, and one where somebody has the branch checked out', async () => {
  const here = await place();
  let isUp = true;
  const url = await gitDaemon(dirname(here.repository), () => isUp);
  writeFileSync(join(here.data, 'projects', 'shop.yaml'), `repository: ${url}/shop\n`);
  const run = `echo 1 > one; ${pause(here, 'work')}`;
  const goal = await enqueue(here, [task(here, run, pause(here, 'check'))]);
  await reached(here, 'work');
  isUp = false;
  goOn(here, 'work');
  await hindered(here);
  expect(told(here)[0]).toMatch(/^The repository git:.* did not do what was asked: fatal: /);
  isUp = true;
  await reached(here, 'check');
  git(here.repository, 'checkout', '-q', 'autonomous/goal-1');
  goOn(here, 'check');
  const inUse = expect.stringMatching(/branch is currently checked out.* Switch to another branch/);
  await expect.poll(() => told(here)).toContainEqual(inUse);
  git(here.repository, 'checkout', '-q', 'trunk');
  expect(await goal.done()).toMatchObject({ state: 'DONE', tasks: [{ claims: 1, error: null }] });
  expect(here.runs()).toBe(1);
  expect(git(here.repository, 'show', 'autonomous/goal-1:one')).toBe('1');
});

it('a server that is away when a goal lands: it lands when the server is back', async () => {
  const here = await place();
  let isUp = true;
  const url = await gitDaemon(dirname(here.repository), () => isUp);
  writeFileSync(join(here.data, 'projects', 'shop.yaml'), `repository: ${url}/shop\n`);
  git(here.repository, 'checkout', '-q', '--detach');
  await (await enqueue(here, [task(here, 'echo 1 > one')])).done();
  isUp = false;
  await here.drover.approve('goal-1');
  const view = () => here.drover.ledger.board.goal('goal-1')!;
  const trouble = expect.stringMatching(/^The repository git:.* It is tried again by itself\.$/s);
  await expect.poll(() => view().landingTrouble).toEqual(trouble);
  isUp = true;
  await expect.poll(() => view().landed).not.toBe(null);
  expect(git(here.repository, 'show', 'trunk:one')).toBe('1');
});
