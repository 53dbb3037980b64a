import { chmodSync, existsSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { checkpoint, salvage } from '../../src/workspace/checkpoint.js';
import { inspectWorktree } from '../../src/workspace/inspect.js';
import { treeOfFiles } from '../../src/workspace/tree-of-files.js';
import { userGit, userRepository, writeFiles } from './repository.js';
import { begun, opened } from './work.js';

describe('checkpoint', () => {
  test('commits what is there, without what git ignores, and byte by byte', async () => {
    const location = userRepository({
      '.gitattributes':
        '* text=auto eol=crlf\n*.big filter=lfs diff=lfs merge=lfs -text\n$Id$ ident\n',
      '.gitignore': 'ignored/\n',
      'lf.txt': 'a\nb\n',
      'run.sh': '#!/bin/sh\n',
    });
    userGit(location, 'config', 'filter.lfs.clean', `touch ${location}/.git/ran; cat`);
    userGit(location, 'config', 'filter.lfs.smudge', `touch ${location}/.git/ran; cat`);
    userGit(location, 'config', 'filter.lfs.required', 'true');
    userGit(location, 'config', 'core.autocrlf', 'true');
    const repository = await opened({ location });
    const { claim, worktree } = await begun(repository, 'task-1');
    expect(userGit(worktree.dir, 'ls-files', '--eol', 'lf.txt')).toContain('w/lf');
    const names = ['-dash', 'with "quotes"', 'new\nline', 'ünï', ' space '];
    writeFiles(worktree.dir, Object.fromEntries(names.map((name) => [name, 'x\r\ny\n'])));
    writeFiles(worktree.dir, { 'ignored/a': 'a', 'pointer.big': 'version 1\n' });
    chmodSync(join(worktree.dir, 'run.sh'), 0o755);
    symlinkSync('lf.txt', join(worktree.dir, 'link'));
    const { head, hasWork } = await checkpoint(repository, worktree, claim);
    expect(hasWork).toBe(true);
    const changed = await repository.objects.run([
      'diff-tree',
      '-r',
      '-z',
      '--name-only',
      claim.start,
      head,
    ]);
    expect(changed.split('\0').filter(Boolean)).toEqual(
      [...names, 'pointer.big', 'run.sh', 'link'].toSorted(),
    );
    expect(await repository.objects.run(['cat-file', 'blob', `${head}:ünï`])).toBe('x\r\ny\n');
    expect(existsSync(join(location, '.git/ran'))).toBe(false);
    expect(userGit(location, 'rev-parse', 'autonomous/task-1')).toBe(head);
    // Nothing new, no new commit.
    expect(await checkpoint(repository, worktree, claim)).toMatchObject({ head, hasWork });
  });

  test('takes in a change that keeps the size of a file, within the second in which git wrote it', async () => {
    const repository = await opened();
    const { claim, worktree } = await begun(repository, 'task-1');
    const file = join(worktree.dir, 'a.txt');
    const second = (): number => Math.floor(statSync(file).ctimeMs / 1_000);
    let written: number;
    do {
      writeFileSync(file, 'a\n');
      written = second();
      userGit(worktree.dir, 'add', 'a.txt');
      writeFileSync(file, 'b\n');
    } while (second() !== written);
    // What git looks at is of a second that is over.
    while (Math.floor(Date.now() / 1_000) === written) await sleep(10);
    expect(await checkpoint(repository, worktree, claim)).toMatchObject({ hasWork: true });
    expect(userGit(repository.dir, 'show', 'autonomous/task-1:a.txt')).toBe('b');
  });

  test('keeps the commits that an agent made', async () => {
    const repository = await opened();
    const { claim, worktree } = await begun(repository, 'task-1');
    writeFiles(worktree.dir, { 'b.txt': 'b\n' });
    userGit(worktree.dir, 'add', '-A');
    userGit(worktree.dir, 'commit', '-m', 'By the agent');
    const first = await checkpoint(repository, worktree, claim);
    expect(userGit(worktree.dir, 'rev-parse', 'HEAD')).toBe(first.head);
    writeFiles(worktree.dir, { 'c.txt': 'c\n' });
    const second = await checkpoint(repository, worktree, claim);
    writeFiles(worktree.dir, { 'd.txt': 'd\n' });
    const third = await checkpoint(repository, worktree, claim);
    expect(userGit(worktree.dir, 'log', '--format=%s|%P', `${claim.start}..${third.head}`)).toBe(
      [
        `Work on task-1, claim 1|${second.head}`,
        `Work on task-1, claim 1|${first.head}`,
        `By the agent|${claim.start}`,
      ].join('\n'),
    );
  });

  test('is not disturbed by whoever looks at the same worktree', async () => {
    const repository = await opened();
    const { claim, worktree } = await begun(repository, 'task-1');
    const names = Array.from({ length: 200 }, (_, index) => `${index}.txt`);
    writeFiles(worktree.dir, Object.fromEntries(names.map((name) => [name, `${name}\n`])));
    const looks = Array.from({ length: 6 }, () => treeOfFiles(repository, worktree));
    const { head } = await checkpoint(repository, worktree, claim);
    const tree = userGit(repository.dir, 'rev-parse', `${head}^{tree}`);
    const seen = await Promise.all(looks);
    expect(seen).toEqual(seen.map(() => ({ tree, leftOut: [] })));
    expect(userGit(repository.dir, 'ls-tree', '--name-only', head).split('\n')).toHaveLength(201);
  });

  test('names a nested repository that cannot be taken in', async () => {
    const repository = await opened();
    const { claim, worktree } = await begun(repository, 'task-1');
    userGit(worktree.dir, 'init', 'nested');
    await expect(checkpoint(repository, worktree, claim)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('nested/.git is a `.git` of its own'),
    });
  });
});

test('a file that cannot be read is named, and keeps its worktree, not the others', async (context) => {
  if (process.getuid?.() === 0) context.skip('root can read all files');
  const repository = await opened();
  const { claim, worktree } = await begun(repository, 'task-1');
  writeFiles(worktree.dir, { 'b.txt': 'b\n', 'closed.txt': 'closed\n' });
  chmodSync(join(worktree.dir, 'closed.txt'), 0o000);
  const named = expect.stringMatching(/does not take in closed\.txt: .*Permission denied/);
  await expect(checkpoint(repository, worktree, claim)).rejects.toMatchObject({ message: named });
  const kept = await salvage(repository, worktree);
  expect(userGit(repository.dir, 'ls-tree', '--name-only', kept.ref!)).toBe('a.txt\nb.txt');
  expect(await inspectWorktree(repository, 'task-1.1', { isInUse: () => false })).toMatchObject({
    state: 'dirty',
    reason: named,
    isSafe: false,
  });
});

describe('salvage', () => {
  test('keeps what a dead claim left, also from a worktree whose index and HEAD are broken', async () => {
    const repository = await opened();
    const { worktree } = await begun(repository, 'task-1');
    expect(await salvage(repository, worktree)).toMatchObject({ hasWork: false });
    writeFiles(worktree.dir, { 'b.txt': 'b\n' });
    userGit(worktree.dir, 'init', 'nested');
    writeFileSync(join(worktree.adminDir, 'index'), 'no index');
    writeFileSync(join(worktree.adminDir, 'HEAD'), 'nothing\n');
    const kept = await salvage(repository, worktree);
    expect(kept).toMatchObject({ hasWork: true, ref: 'refs/drover/kept/task-1.1' });
    expect(userGit(repository.dir, 'ls-tree', '--name-only', kept.ref!)).toBe('a.txt\nb.txt');
    expect(await salvage(repository, worktree)).toEqual(kept);
    rmSync(join(worktree.dir, 'b.txt'));
    expect(await salvage(repository, worktree)).toMatchObject({ hasWork: false, ref: kept.ref });
    expect(userGit(repository.dir, 'log', '--format=%s', kept.ref!)).toContain('First');
  });
});
