/** Repositories that do not have all of their history or files: shallow and partial clones, borrowed objects. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { landGoal, prepareLanding } from '../../src/workspace/land.js';
import { lineOf } from '../../src/workspace/line.js';
import { diffOf } from '../../src/workspace/diff.js';
import { rollBack } from '../../src/workspace/rollback.js';
import { inspectWorktrees } from '../../src/workspace/inspect.js';
import type { Repository } from '../../src/workspace/repository.js';
import { fileIn } from '../../src/workspace/trees.js';
import { gitDaemon } from '../support/git-server.js';
import { temporaryFolder, userGit, userRepository, writeFiles } from './repository.js';
import { begun, merged, opened } from './work.js';

const FILES = Object.fromEntries(
  Array.from({ length: 5 }, (_, at) => [`file-${at}.txt`, `${at}\n`.repeat(50)]),
);

/** A bare repository `shop.git` with five commits, in a folder that `git daemon` serves. */
async function served(): Promise<{ root: string; url: string }> {
  const root = temporaryFolder();
  const work = userRepository(FILES);
  for (let commit = 2; commit <= 5; commit += 1) {
    writeFiles(work, { 'file-0.txt': `commit ${commit}\n`.repeat(40) });
    userGit(work, 'commit', '-qam', `Commit ${commit}`);
  }
  const dir = join(root, 'shop.git');
  execFileSync('git', ['clone', '-q', '--bare', work, dir]);
  userGit(dir, 'config', 'uploadpack.allowFilter', 'true');
  return { root, url: await gitDaemon(root) };
}

/** What a project goes through: two tasks side by side that change one file, landing, rollback and looking. */
async function worksIn(repository: Repository): Promise<void> {
  const [one, two] = [await begun(repository, 'task-1'), await begun(repository, 'task-2')];
  writeFiles(one.worktree.dir, { 'file-1.txt': `first\n${FILES['file-1.txt']}` });
  writeFiles(two.worktree.dir, {
    'file-1.txt': `${FILES['file-1.txt']}last\n`,
    'new.txt': 'new\n',
  });
  expect((await merged(repository, one.claim, one.worktree)).kind).toBe('moved');
  expect((await merged(repository, two.claim, two.worktree)).kind).toBe('moved');
  expect((await inspectWorktrees(repository)).map(({ state }) => state)).toEqual([
    'merged',
    'merged',
  ]);
  expect(await diffOf(repository, 'goal-1', 'task-2')).toMatchObject({
    files: [
      { path: 'file-1.txt', added: 1, removed: 0 },
      { path: 'new.txt', added: 1 },
    ],
  });
  const how = { goal: 'goal-1', merge: 'merge-commit', subject: 'Land goal-1' } as const;
  const prepared = await prepareLanding(repository, how);
  if (prepared.kind !== 'ready') throw new Error(prepared.kind);
  expect(await landGoal(repository, prepared.landing)).toEqual({ kind: 'landed' });
  expect((await rollBack(repository, 'goal-1', 'task-1')).undone).toMatchObject([
    { task: 'task-2' },
  ]);
  const again = await prepareLanding(repository, how);
  if (again.kind !== 'ready') throw new Error(again.kind);
  expect(await landGoal(repository, again.landing)).toEqual({ kind: 'landed' });
  expect(await lineOf(repository, 'goal-1', [])).toMatchObject({
    commits: [{ subject: 'Merge task-1' }],
  });
  const merge = await fileIn(repository, again.landing.to, 'file-1.txt');
  expect(merge).toBe(`first\n${FILES['file-1.txt']}`);
  if (repository.kind === 'checkout')
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('');
}

async function clone(url: string, how: readonly string[]): Promise<string> {
  const dir = join(temporaryFolder(), 'clone');
  await promisify(execFile)('git', ['clone', '-q', ...how, url, dir]);
  return dir;
}

describe('a project is', () => {
  test.each([
    ['a shallow clone', ['--depth=1']],
    ['a clone without files', ['--filter=blob:none']],
    ['a bare clone without trees', ['--bare', '--filter=tree:0']],
    ['a bare shallow clone without files', ['--bare', '--depth=1', '--filter=blob:none']],
  ])('%s', async (_, how) => {
    const { url } = await served();
    await worksIn(await opened({ location: await clone(`${url}/shop.git`, how) }));
  });

  test('behind a URL, where the history is cut', async () => {
    const { root, url } = await served();
    const cut = join(root, 'cut.git');
    execFileSync('git', ['clone', '-q', '--bare', '--depth=2', `file://${root}/shop.git`, cut]);
    await worksIn(await opened({ location: `${url}/cut.git` }));
    expect(userGit(cut, 'log', '--format=%s', '--first-parent', 'main')).toBe(
      'Land goal-1\nLand goal-1\nCommit 5\nCommit 4',
    );
  });

  test('one that borrows its objects', async () => {
    const { root } = await served();
    const location = await clone(join(root, 'shop.git'), ['--shared']);
    const lenders = readFileSync(join(location, '.git/objects/info/alternates'), 'utf8');
    expect(lenders).toBe(`${root}/shop.git/objects\n`);
    await worksIn(await opened({ location }));
    userGit(location, 'fsck', '--strict');
  });
});

test('the history of a project is cut and completed while tasks are at work', async () => {
  const { url } = await served();
  const location = await clone(`${url}/shop.git`, []);
  const repository = await opened({ location });
  const [one, two] = [await begun(repository, 'task-1'), await begun(repository, 'task-2')];
  writeFiles(one.worktree.dir, { 'one.txt': '1\n' });
  writeFiles(two.worktree.dir, { 'two.txt': '2\n' });
  await merged(repository, one.claim, one.worktree);
  const asUser = (...args: string[]) => promisify(execFile)('git', args, { cwd: location });
  await asUser('fetch', '-q', '--depth=1');
  await asUser('reflog', 'expire', '--expire=now', '--all');
  await asUser('gc', '-q', '--prune=now');
  expect(userGit(location, 'rev-list', '--count', 'main')).toBe('1');
  await merged(repository, two.claim, two.worktree);
  await asUser('fetch', '-q', '--unshallow');
  expect(userGit(location, 'rev-list', '--count', 'main')).toBe('5');
  const three = await begun(repository, 'task-3');
  writeFiles(three.worktree.dir, { 'three.txt': '3\n' });
  await merged(repository, three.claim, three.worktree);
  const names = userGit(location, 'ls-tree', '--name-only', 'autonomous/goal-1');
  expect(names).toMatch(/one\.txt\nthree\.txt\ntwo\.txt$/);
});
