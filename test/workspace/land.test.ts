import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { diffOf, historyOf } from '../../src/workspace/diff.js';
import { followRef } from '../../src/workspace/branches.js';
import { bringUpToDate, followLanded, landGoal, prepareLanding } from '../../src/workspace/land.js';
import { pushBranch } from '../../src/workspace/push.js';
import { openRepository, type Repository } from '../../src/workspace/repository.js';
import { rollBack } from '../../src/workspace/rollback.js';
import { emptyDisk, fillDisk, smallDisks } from '../support/small-disk.js';
import { temporaryFolder, userGit, writeFiles } from './repository.js';
import { begun, merged, opened } from './work.js';

const HOW = { goal: 'goal-1', merge: 'merge-commit', subject: 'Land goal-1' } as const;

async function withTask(
  repository: Repository,
  task: string,
  files: Record<string, string>,
  claim = 1,
) {
  const work = await begun(repository, task, claim);
  writeFiles(work.worktree.dir, files);
  return merged(repository, work.claim, work.worktree);
}

async function landed(repository: Repository) {
  const prepared = await prepareLanding(repository, HOW);
  if (prepared.kind !== 'ready') throw new Error(JSON.stringify(prepared));
  return landGoal(repository, prepared.landing);
}

describe('landing a goal', () => {
  test('moves a clean checkout with its branch, once', async () => {
    const repository = await opened();
    await withTask(repository, 'task-1', { 'b.txt': 'b\n' });
    writeFiles(repository.dir, { 'untracked.txt': 'mine\n' });
    expect(await landed(repository)).toEqual({ kind: 'landed' });
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('?? untracked.txt');
    expect(readFileSync(join(repository.dir, 'b.txt'), 'utf8')).toBe('b\n');
    expect(userGit(repository.dir, 'log', '--format=%s', '--first-parent', 'main')).toBe(
      'Land goal-1\nFirst',
    );
    expect((await prepareLanding(repository, HOW)).kind).toBe('landed');
  });

  test('moves a checkout in which a file was touched and not changed', async () => {
    const repository = await opened();
    await withTask(repository, 'task-1', { 'a.txt': 'better\n' });
    utimesSync(join(repository.dir, 'a.txt'), 1, 1);
    expect(await landed(repository)).toEqual({ kind: 'landed' });
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('');
  });

  test('leaves a checkout with changes, or with files in the way, alone', async () => {
    const repository = await opened();
    await withTask(repository, 'task-1', { 'b.txt': 'b\n', 'STATE.yaml': 'forged\n' });
    writeFiles(repository.dir, { 'a.txt': 'changed\n' });
    const before = userGit(repository.dir, 'rev-parse', 'main');
    expect(await landed(repository)).toMatchObject({
      kind: 'dirty',
      blocked: [{ files: ['a.txt'] }],
    });
    userGit(repository.dir, 'checkout', '-f');
    writeFiles(repository.dir, { 'b.txt': 'in the way\n' });
    expect(await landed(repository)).toMatchObject({
      kind: 'dirty',
      blocked: [{ files: ['b.txt'] }],
    });
    expect(userGit(repository.dir, 'rev-parse', 'main')).toBe(before);
    expect(readFileSync(join(repository.dir, 'b.txt'), 'utf8')).toBe('in the way\n');
  });

  test('moves a checkout whose git folder is elsewhere', async () => {
    const repository = await opened();
    const gitDir = join(temporaryFolder(), 'shop.git');
    userGit(repository.dir, 'init', '-q', '--separate-git-dir', gitDir);
    const place = { name: 'shop', location: repository.dir, dataDir: temporaryFolder() };
    const environment = { PATH: process.env['PATH'] };
    const apart = await openRepository({ ...place, environment });
    await withTask(apart, 'task-1', { 'b.txt': 'b\n' });
    expect(await landed(apart)).toEqual({ kind: 'landed' });
    expect(userGit(apart.dir, 'status', '--porcelain')).toBe('');
    expect(readFileSync(join(apart.dir, 'b.txt'), 'utf8')).toBe('b\n');
  });

  const disk = smallDisks();
  test('goes on with a checkout whose disk was full, whatever was written half', async (context) => {
    const small = disk(join(temporaryFolder(), 'small'), 2 * 1024 * 1024);
    if (small === undefined) {
      context.skip('mounting a small file system needs root');
      return;
    }
    const origin = await opened();
    const dir = join(small, 'shop');
    const gitDir = join(temporaryFolder(), 'shop.git');
    userGit(origin.dir, 'clone', '-q', '--separate-git-dir', gitDir, origin.dir, dir);
    const repository = await opened({ location: dir });
    const large = 'line\n'.repeat(100_000);
    await withTask(repository, 'task-1', { 'a.txt': large, 'b.txt': large });
    fillDisk(small);
    // Room for the index and for some of the first file.
    truncateSync(join(small, 'filler'), statSync(join(small, 'filler')).size - 100_000);
    await expect(landed(repository)).rejects.toMatchObject({ code: 'hindered' });
    await expect(followLanded(repository, 'goal-1')).rejects.toMatchObject({ code: 'hindered' });
    emptyDisk(small);
    expect(await followLanded(repository, 'goal-1')).toEqual([]);
    expect(userGit(dir, 'status', '--porcelain')).toBe('');
    expect(readFileSync(join(dir, 'a.txt'), 'utf8')).toBe(large);
  });

  /** A repository as a process leaves it that is killed when the branch has moved, and the files have not. */
  async function killed(files: Record<string, string> = { 'b.txt': 'b\n' }): Promise<Repository> {
    const repository = await opened();
    await withTask(repository, 'task-1', files);
    const prepared = await prepareLanding(repository, HOW);
    if (prepared.kind !== 'ready') throw new Error(prepared.kind);
    const { from, to } = prepared.landing;
    userGit(repository.dir, 'update-ref', followRef('goal-1'), from!);
    userGit(repository.dir, 'update-ref', 'refs/heads/main', to);
    const status = userGit(repository.dir, 'status', '--porcelain', '-z').split('\0');
    expect(status.filter(Boolean)).toEqual(
      Object.keys(files)
        .toSorted()
        .map((path) => `D  ${path}`),
    );
    expect(await prepareLanding(repository, HOW)).toEqual({ kind: 'landed', commit: to });
    return repository;
  }

  test('goes on where it was killed after the branch had moved', async () => {
    const repository = await killed();
    expect(await followLanded(repository, 'goal-1')).toEqual([]);
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('');
    expect(userGit(repository.dir, 'for-each-ref', followRef('goal-1'))).toBe('');
  });

  test('goes on where some of the files had been written, and takes no other for them', async () => {
    const repository = await killed();
    writeFiles(repository.dir, { 'b.txt': 'b\n' });
    expect(await followLanded(repository, 'goal-1')).toEqual([]);
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('');

    const another = await killed();
    writeFiles(another.dir, { 'b.txt': 'mine\n' });
    expect(await followLanded(another, 'goal-1')).toMatchObject([
      { reason: expect.stringContaining('could not update it') },
    ]);
    expect(readFileSync(join(another.dir, 'b.txt'), 'utf8')).toBe('mine\n');

    const odd = { '"q".txt': 'q\n', 'two\nlines.txt': 'l\n', 'ü.txt': 'u\n' };
    const oddly = await killed(odd);
    writeFiles(oddly.dir, { ...odd, '"q".txt': '' });
    expect(await followLanded(oddly, 'goal-1')).toEqual([]);
    expect(userGit(oddly.dir, 'status', '--porcelain')).toBe('');

    for (const beginning of ['', 'b']) {
      const half = await killed();
      writeFiles(half.dir, { 'b.txt': beginning });
      expect(await followLanded(half, 'goal-1')).toEqual([]);
      expect(userGit(half.dir, 'status', '--porcelain')).toBe('');
    }
  });

  test('goes on from there when the index is free again', async () => {
    const repository = await killed();
    const lock = join(repository.dir, '.git', 'index.lock');
    writeFileSync(lock, '');
    const hindered = { code: 'hindered', message: expect.stringContaining(lock) };
    await expect(followLanded(repository, 'goal-1')).rejects.toMatchObject(hindered);
    rmSync(lock);
    expect(await followLanded(repository, 'goal-1')).toEqual([]);
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('');
  });

  test('takes the update of a process that was killed, and goes on, for nobody’s changes', async () => {
    const repository = await killed();
    const index = join(repository.dir, '.git', 'index');
    writeFileSync(`${index}.lock`, '');
    const following = followLanded(repository, 'goal-1');
    // Long enough for the lock to be met, and shorter than it is waited for.
    await sleep(700);
    copyFileSync(index, `${index}.new`);
    const from = userGit(repository.dir, 'rev-parse', followRef('goal-1'));
    const env = { ...process.env, GIT_INDEX_FILE: `${index}.new` };
    execFileSync('git', ['read-tree', '-m', '-u', from, 'main'], { cwd: repository.dir, env });
    renameSync(`${index}.new`, index);
    rmSync(`${index}.lock`);
    expect(await following).toEqual([]);
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('');
  });

  test('says that files stayed behind where somebody began to work there as the branch moved', async () => {
    const repository = await killed();
    writeFiles(repository.dir, { 'mine.txt': 'mine\n' });
    userGit(repository.dir, 'add', 'mine.txt');
    expect(await followLanded(repository, 'goal-1')).toMatchObject([
      {
        dir: repository.dir,
        files: ['mine.txt'],
        remedy: expect.stringMatching(/commit and stash nothing there.*`git reset --hard`/),
      },
    ]);
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('D  b.txt\nA  mine.txt');
    userGit(repository.dir, 'reset', '--hard');
    writeFiles(repository.dir, { 'mine.txt': 'mine\n' });
    userGit(repository.dir, 'add', 'mine.txt');
    expect(await followLanded(repository, 'goal-1')).toEqual([]);
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('A  mine.txt');
    expect(userGit(repository.dir, 'for-each-ref', followRef('goal-1'))).toBe('');
  });

  test('lets files follow an earlier landing first, which are nobody’s changes', async () => {
    const repository = await killed();
    const note = userGit(repository.dir, 'rev-parse', followRef('goal-1'));
    userGit(repository.dir, 'update-ref', '-d', followRef('goal-1'));
    userGit(repository.dir, 'update-ref', followRef('goal-2'), note);
    await withTask(repository, 'task-2', { 'c.txt': 'c\n' });
    expect(await landed(repository)).toEqual({ kind: 'landed' });
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('');

    userGit(repository.dir, 'update-ref', followRef('goal-2'), note);
    userGit(repository.dir, 'read-tree', note);
    writeFiles(repository.dir, { 'mine.txt': 'mine\n' });
    userGit(repository.dir, 'add', 'mine.txt');
    await withTask(repository, 'task-3', { 'd.txt': 'd\n' });
    expect(await landed(repository)).toMatchObject({
      kind: 'dirty',
      blocked: [{ files: ['mine.txt'], remedy: expect.stringContaining('where goal-2 landed') }],
    });
  });

  test('replaces what Drover itself has in the checkout', async () => {
    const repository = await opened();
    await withTask(repository, 'task-1', { 'b.txt': 'b\n' });
    writeFiles(repository.dir, { 'STATE.yaml': 'not committed\n' });
    const files = [{ path: 'STATE.yaml', content: 'landed\n' }];
    const prepared = await prepareLanding(repository, { ...HOW, files });
    if (prepared.kind !== 'ready') throw new Error(prepared.kind);
    expect(await landGoal(repository, prepared.landing)).toEqual({ kind: 'landed' });
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('');
    expect(readFileSync(join(repository.dir, 'STATE.yaml'), 'utf8')).toBe('landed\n');
  });

  test('merges with what was committed meanwhile, and refuses what it was not prepared on', async () => {
    const repository = await opened();
    await withTask(repository, 'task-1', { 'b.txt': 'b\n' });
    const early = await prepareLanding(repository, HOW);
    writeFiles(repository.dir, { 'c.txt': 'c\n' });
    userGit(repository.dir, 'add', 'c.txt');
    userGit(repository.dir, 'commit', '-m', 'By a person');
    if (early.kind !== 'ready') throw new Error(early.kind);
    expect((await landGoal(repository, early.landing)).kind).toBe('lost-race');
    expect((await prepareLanding(repository, { ...HOW, merge: 'fast-forward' })).kind).toBe(
      'not-fast-forward',
    );
    expect((await bringUpToDate(repository, 'goal-1')).kind).toBe('moved');
    expect((await bringUpToDate(repository, 'goal-1')).kind).toBe('up-to-date');
    const prepared = await prepareLanding(repository, { ...HOW, merge: 'fast-forward' });
    if (prepared.kind !== 'ready') throw new Error(prepared.kind);
    expect(prepared.landing.to).toBe(prepared.landing.tip);
    expect((await landGoal(repository, prepared.landing)).kind).toBe('landed');
    expect(userGit(repository.dir, 'ls-files')).toBe('a.txt\nb.txt\nc.txt');
    expect(userGit(repository.dir, 'status', '--porcelain')).toBe('');
  });

  test('tells a conflict with the base branch', async () => {
    const repository = await opened();
    await withTask(repository, 'task-1', { 'a.txt': 'by the task\n' });
    writeFiles(repository.dir, { 'a.txt': 'by a person\n' });
    userGit(repository.dir, 'commit', '-am', 'By a person');
    const conflict = { kind: 'conflict', conflicts: [{ path: 'a.txt' }] };
    expect(await prepareLanding(repository, HOW)).toMatchObject(conflict);
    expect(await bringUpToDate(repository, 'goal-1')).toMatchObject(conflict);
  });

  test('begins the base branch of an empty repository', async () => {
    const location = temporaryFolder();
    userGit(location, 'init', '-b', 'main');
    const repository = await opened({ location });
    await withTask(repository, 'task-1', { 'b.txt': 'b\n' });
    expect(await landed(repository)).toEqual({ kind: 'landed' });
    expect(userGit(location, 'ls-files')).toBe('b.txt');
    expect(userGit(location, 'status', '--porcelain')).toBe('');
  });

  test('does not run filters, and stays where files need one', async () => {
    const repository = await opened();
    userGit(repository.dir, 'config', 'filter.x.smudge', 'touch .git/ran; cat');
    await withTask(repository, 'task-1', { '.gitattributes': '*.bin filter=x\n' });
    expect((await landed(repository)).kind).toBe('landed');
    await withTask(repository, 'task-2', { 'a.bin': 'b\n' });
    expect(await landed(repository)).toMatchObject({
      kind: 'dirty',
      blocked: [{ files: ['a.bin'] }],
    });
    expect(() => readFileSync(join(repository.dir, '.git/ran'))).toThrow('ENOENT');
  });

  test('pushes a branch for a pull request, and overwrites none', async () => {
    const repository = await opened();
    await expect(pushBranch(repository, 'HEAD', 'x')).rejects.toMatchObject({ code: 'not-found' });
    const other = join(temporaryFolder(), 'other.git');
    execFileSync('git', ['init', '-q', '--bare', other]);
    userGit(repository.dir, 'remote', 'add', 'origin', other);
    const { commit } = await withTask(repository, 'task-1', { 'b.txt': 'b\n' });
    await pushBranch(repository, commit, 'drover/goal-1');
    expect(userGit(other, 'rev-parse', 'drover/goal-1')).toBe(commit);
    const unrelated = userGit(repository.dir, 'commit-tree', 'HEAD^{tree}', '-m', 'Other');
    const conflict = { code: 'conflict' };
    const push = (what: string, ...before: string[]) =>
      pushBranch(repository, what, 'drover/goal-1', new Set(before));
    await expect(push(unrelated)).rejects.toMatchObject(conflict);
    // Only what was pushed there before is replaced.
    await expect(push(unrelated, unrelated)).rejects.toMatchObject(conflict);
    await push(unrelated, commit, unrelated);
    expect(userGit(other, 'rev-parse', 'drover/goal-1')).toBe(unrelated);
    await expect(push(commit, commit)).rejects.toMatchObject(conflict);
  });
});

describe('rolling a goal back', () => {
  test('undoes the later tasks and keeps what was there', async () => {
    const repository = await opened();
    const one = await withTask(repository, 'task-1', { 'b.txt': '1\n' });
    await withTask(repository, 'task-2', { 'c.txt': '2\n' });
    const three = await withTask(repository, 'task-3', { 'd.txt': '3\n' });
    const rolled = await rollBack(repository, 'goal-1', 'task-1');
    expect(rolled).toMatchObject({
      tip: one.commit,
      kept: { commit: three.commit, ref: 'refs/drover/rolled-back/goal-1.1' },
      undone: [{ task: 'task-3' }, { task: 'task-2' }],
    });
    expect(userGit(repository.dir, 'rev-parse', rolled.kept!.ref)).toBe(three.commit);
    // Repeated by whoever comes after a crash, which has to hear the same.
    expect(await rollBack(repository, 'goal-1', 'task-1')).toEqual(rolled);
    const again = await withTask(repository, 'task-2', { 'c.txt': 'again\n' }, 2);
    expect(again.kind).toBe('moved');
    expect(await historyOf(repository, 'goal-1')).toMatchObject({
      tip: again.commit,
      merges: [
        { task: 'task-2', claim: 2 },
        { task: 'task-1', claim: 1 },
      ],
    });
    expect(await diffOf(repository, 'goal-1', 'task-2')).toMatchObject({
      of: 'merge',
      files: [{ path: 'c.txt', added: 1, removed: 0 }],
      text: expect.stringContaining('+again'),
    });
    for (const to of ['task-3', three.commit, 'HEAD', '--all', 'task-99']) {
      await expect(rollBack(repository, 'goal-1', to)).rejects.toMatchObject({ code: 'not-found' });
    }
    await rollBack(repository, 'goal-1', one.commit.slice(0, 10));
    await expect(rollBack(repository, 'goal-2', 'task-1')).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  test('of a landed goal takes the undone work out of the base branch when it lands again', async () => {
    const repository = await opened();
    await withTask(repository, 'task-1', { 'b.txt': '1\n' });
    await withTask(repository, 'task-2', { 'c.txt': '2\n' });
    await landed(repository);
    await rollBack(repository, 'goal-1', 'task-1');
    expect(await landed(repository)).toMatchObject({ kind: 'landed' });
    expect(userGit(repository.dir, 'ls-files')).toBe('a.txt\nb.txt');
    expect((await prepareLanding(repository, HOW)).kind).toBe('landed');
    await withTask(repository, 'task-2', { 'c.txt': 'better\n' }, 2);
    await landed(repository);
    expect(userGit(repository.dir, 'show', 'main:c.txt')).toBe('better');
    expect(userGit(repository.dir, 'log', '--format=%s', '--first-parent', 'main')).toBe(
      'Land goal-1\nLand goal-1\nLand goal-1\nFirst',
    );
    expect((await prepareLanding(repository, HOW)).kind).toBe('landed');
    await rollBack(repository, 'goal-1', 'task-1');
    // Bringing it up to date does not bring back what was undone.
    expect((await bringUpToDate(repository, 'goal-1')).kind).toBe('moved');
    const again = await prepareLanding(repository, { ...HOW, merge: 'fast-forward' });
    if (again.kind !== 'ready') throw new Error(again.kind);
    await landGoal(repository, again.landing);
    expect(userGit(repository.dir, 'ls-files')).toBe('a.txt\nb.txt');
  });
});
