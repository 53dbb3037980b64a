import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { salvage } from '../../src/workspace/checkpoint.js';
import { beginClaim, endClaim } from '../../src/workspace/claims.js';
import { carryOver, earlierWork } from '../../src/workspace/earlier-work.js';
import { inspectWorktrees } from '../../src/workspace/inspect.js';
import { pruneWorktrees, quarantineDamaged } from '../../src/workspace/prune.js';
import { mergedKept } from '../../src/workspace/prune-kept.js';
import { rollBack } from '../../src/workspace/rollback.js';
import { createWorktree } from '../../src/workspace/worktree.js';
import { userGit, userRepository, writeFiles } from './repository.js';
import { begun, merged, opened } from './work.js';

const NOBODY = { isInUse: () => false };

describe('worktrees', () => {
  test('are made by twelve processes at once', async () => {
    const repository = await opened();
    const work = new URL('../../dist/workspace/', import.meta.url).href;
    const place = {
      name: 'demo',
      location: repository.dir,
      dataDir: join(repository.worktreesDir, '../..'),
    };
    const script = (task: number) => `
      const [{ openRepository }, { beginClaim }, { createWorktree }] = await Promise.all(
        ['repository', 'claims', 'worktree'].map((name) => import(${JSON.stringify(work)} + name + '.js')));
      const repository = await openRepository({ ...${JSON.stringify(place)}, environment: process.env });
      const claim = await beginClaim(repository, { goal: 'goal-1', task: 'task-${task}', claim: 1, owner: 'x' });
      await createWorktree(repository, claim);`;
    const all = Array.from({ length: 12 }, (_, index) =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', script(index + 1)]),
    );
    await Promise.all(all);
    expect(userGit(repository.dir, 'worktree', 'list').split('\n')).toHaveLength(13);
    for (const report of await inspectWorktrees(repository)) {
      expect(report).toMatchObject({ state: 'clean', isSafe: true });
      expect(userGit(report.dir, 'status', '--porcelain')).toBe('');
    }
    expect((await pruneWorktrees(repository)).removed).toHaveLength(12);
    expect(userGit(repository.dir, 'worktree', 'list').split('\n')).toHaveLength(1);
    expect(readdirSync(repository.worktreesDir)).toEqual([]);
  });

  test('go only when their work is proven to be elsewhere', async () => {
    const repository = await opened();
    const works = [];
    for (const task of ['task-1', 'task-2', 'task-3', 'task-4'])
      works.push(await begun(repository, task));
    const [done, dirty, kept, held] = works;
    for (const work of works) writeFiles(work.worktree.dir, { [`${work.claim.task}.txt`]: 'x\n' });
    await merged(repository, done!.claim, done!.worktree);
    await salvage(repository, kept!.worktree);
    const inUse = { isInUse: ({ task }: { task: string }) => task === 'task-4' };
    const states = async () =>
      (await inspectWorktrees(repository, inUse)).map(({ name, state }) => `${name} ${state}`);
    expect(await states()).toEqual([
      'task-1.1 merged',
      'task-2.1 dirty',
      'task-3.1 kept',
      'task-4.1 in-use',
    ]);
    const { removed } = await pruneWorktrees(repository, inUse);
    expect(removed.map(({ name }) => name)).toEqual(['task-1.1', 'task-3.1']);
    expect(existsSync(dirty!.worktree.dir) && existsSync(held!.worktree.dir)).toBe(true);
    await salvage(repository, dirty!.worktree);
    await endClaim(repository, dirty!.claim);
    expect(await earlierWork(repository, 'task-2')).toMatchObject([{ claim: 1 }]);
    expect((await pruneWorktrees(repository, inUse)).removed).toHaveLength(1);
    writeFiles(held!.worktree.dir, { 'late.txt': 'x\n' });
    expect((await inspectWorktrees(repository)).map(({ state }) => state)).toEqual(['in-use']);
  });

  test('whose folder is gone go with what is left of them, unless it has a commit of its own', async () => {
    const repository = await opened();
    const works = [];
    for (const task of ['task-1', 'task-2', 'task-3']) works.push(await begun(repository, task));
    const [record, untouched, worked] = works;
    writeFiles(worked!.worktree.dir, { 'b.txt': 'b\n' });
    userGit(worked!.worktree.dir, 'add', '.');
    userGit(worked!.worktree.dir, 'commit', '-qm', 'Mine');
    for (const { worktree } of works) rmSync(worktree.dir, { recursive: true });
    rmSync(record!.worktree.adminDir, { recursive: true });
    const names = (reports: readonly { name: string }[]) => reports.map(({ name }) => name);
    const first = await pruneWorktrees(repository, NOBODY);
    expect(names(first.removed)).toEqual(['task-1.1', 'task-2.1']);
    expect(first.kept).toMatchObject([
      { name: 'task-3.1', reason: expect.stringContaining('no reference keeps its commit') },
    ]);
    await salvage(repository, worked!.worktree);
    expect(names((await pruneWorktrees(repository, NOBODY)).removed)).toEqual(['task-3.1']);
    expect(existsSync(untouched!.worktree.adminDir)).toBe(false);
    expect(readdirSync(repository.worktreesDir)).toEqual([]);
  });

  test('begin with what an earlier claim left, on the new tip', async () => {
    const repository = await opened();
    const [dead, other] = [await begun(repository, 'task-1'), await begun(repository, 'task-2')];
    writeFiles(dead.worktree.dir, { 'left.txt': 'x\n' });
    writeFiles(other.worktree.dir, { 'other.txt': 'x\n' });
    await merged(repository, other.claim, other.worktree);
    await salvage(repository, dead.worktree);
    const started = await beginClaim(repository, { ...dead.claim, claim: 2, owner: 'you' });
    const [left] = await earlierWork(repository, 'task-1');
    const carried = await carryOver(repository, started, left!.commit);
    if (carried.kind !== 'merged') throw new Error('not merged');
    const files = { files: carried.tree };
    const worktree = await createWorktree(repository, started, files);
    expect(readdirSync(worktree.dir)).toEqual(['.git', 'a.txt', 'left.txt', 'other.txt']);
    expect(userGit(worktree.dir, 'status', '--porcelain')).toBe('?? left.txt');
    expect(await merged(repository, started, worktree)).toMatchObject({ kind: 'moved' });
  });

  test('leave references behind that go once their work is merged, and no earlier', async () => {
    const repository = await opened();
    // Of each task, what its first claim left is kept, and a second claim does the task.
    const second = async (task: string, left: string, done: string) => {
      const first = await begun(repository, task);
      writeFiles(first.worktree.dir, { [`${task}.txt`]: left });
      await salvage(repository, first.worktree);
      const { claim, worktree } = await begun(repository, task, 2);
      writeFiles(worktree.dir, { [`${task}.txt`]: done });
      return () => merged(repository, claim, worktree);
    };
    const same = await second('task-1', 'x\n', 'x\n');
    const more = await second('task-2', 'x\n', 'x\ny\n');
    const other = await second('task-3', 'x\n', 'another\n');
    const never = await second('task-4', 'x\n', 'x\n');
    const kept = () =>
      userGit(repository.dir, 'for-each-ref', '--format=%(refname)', 'refs/drover/kept');
    expect((await pruneWorktrees(repository, NOBODY)).references).toEqual([]);
    for (const merge of [same, more, other]) await merge();
    expect(await mergedKept(repository)).toMatchObject([{ ref: 'refs/drover/kept/task-1.1' }]);
    expect((await pruneWorktrees(repository, NOBODY)).references).toEqual([
      'refs/drover/kept/task-1.1',
    ]);
    // What differs from what was merged is in no branch, and a task that is not merged may go on with it.
    expect(kept()).toBe([2, 3, 4].map((number) => `refs/drover/kept/task-${number}.1`).join('\n'));
    await never();
    await rollBack(repository, 'goal-1', 'task-3');
    expect((await pruneWorktrees(repository, NOBODY)).references).toEqual([]);
  });

  test('that are damaged are put aside with all that is in them', async () => {
    const repository = await opened();
    const works = [];
    for (const task of ['task-1', 'task-2', 'task-3', 'task-4', 'task-5'])
      works.push((await begun(repository, task)).worktree);
    const [pointer, index, folder, admin, record] = works;
    for (const { dir } of works) writeFiles(dir, { 'work.txt': 'x\n' });
    rmSync(join(pointer!.dir, '.git'));
    writeFileSync(join(index!.adminDir, 'index'), 'broken');
    rmSync(folder!.dir, { recursive: true });
    rmSync(admin!.adminDir, { recursive: true });
    rmSync(`${record!.dir}.json`);
    const states = (await inspectWorktrees(repository, NOBODY)).map(({ state }) => state);
    // An index that is broken can be made again.
    expect(states).toEqual(['corrupted', 'dirty', 'clean', 'corrupted', 'corrupted']);
    const aside = await quarantineDamaged(repository, NOBODY);
    expect(aside.map((dir) => dir.replace(/.*\//, ''))).toEqual(
      [1, 4, 5].map((number) => `task-${number}.1.quarantined-1`),
    );
    expect(existsSync(join(aside[0]!, 'work.txt'))).toBe(true);
    const { removed, kept } = await pruneWorktrees(repository, NOBODY);
    expect([removed.length, kept.length]).toEqual([1, 4]);
    expect(() => userGit(repository.dir, 'worktree', 'list')).not.toThrow();
  });

  test('share what the settings link, and do not commit it', async () => {
    const location = userRepository({ 'a.txt': 'a\n', '.gitignore': 'modules/\n' });
    mkdirSync(join(location, 'modules'));
    const repository = await opened({ location });
    const { claim } = await begun(repository, 'task-1');
    await pruneWorktrees(repository, NOBODY);
    const worktree = await createWorktree(repository, claim, { links: ['modules', 'missing'] });
    expect(existsSync(join(worktree.dir, 'modules'))).toBe(true);
    const [report] = await inspectWorktrees(repository, NOBODY);
    expect(report).toMatchObject({ state: 'clean' });
    await pruneWorktrees(repository, NOBODY);
    for (const path of ['../out', '/etc', '.git/hooks', 'a/../../b']) {
      await expect(createWorktree(repository, claim, { links: [path] })).rejects.toMatchObject({
        code: 'bad-input',
      });
    }
  });

  test('leave no link behind that leads out of the place', async () => {
    const repository = await opened();
    const { worktree } = await begun(repository, 'task-1');
    const outside = userRepository();
    symlinkSync(outside, join(worktree.dir, 'out'));
    rmSync(`${worktree.dir}.json`);
    await quarantineDamaged(repository, NOBODY);
    await pruneWorktrees(repository, NOBODY);
    expect(existsSync(join(outside, 'a.txt'))).toBe(true);
  });
});
