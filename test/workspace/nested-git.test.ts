/** Git folders of others in a worktree: found however they are written, refused, and never in the way of sound files. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkpoint, requireNoNestedGit, salvage } from '../../src/workspace/checkpoint.js';
import { inspectWorktree } from '../../src/workspace/inspect.js';
import { pruneWorktrees } from '../../src/workspace/prune.js';
import type { Repository } from '../../src/workspace/repository.js';
import type { Worktree } from '../../src/workspace/worktree-record.js';
import { userGit, userRepository, writeFiles } from './repository.js';
import { begun, opened } from './work.js';

const files = { 'src/a.txt': 'a\n', '.gitignore': 'vendor/\n*.log\n' };

async function started(): Promise<{
  repository: Repository;
  worktree: Worktree;
  take: () => Promise<void>;
}> {
  const repository = await opened({ location: userRepository(files) });
  const { claim, worktree } = await begun(repository, 'task-1');
  const take = async (): Promise<void> => {
    const { head } = await checkpoint(repository, worktree, claim);
    await requireNoNestedGit(repository, worktree, head);
  };
  return { repository, worktree, take };
}

/** A repository of its own. */
function init(worktree: Worktree, path: string, isCommitted = false): void {
  userGit(worktree.dir, 'init', '-q', path);
  if (isCommitted)
    userGit(join(worktree.dir, path), 'commit', '-q', '--allow-empty', '-m', 'Inner');
}

describe('is refused by its name', () => {
  it.each([
    'sub/.git/config',
    'src/.git/config',
    'sub/.GIT/config',
    '.Git/hooks/post-checkout',
    'src/deep/er/.git',
    'sub/git~1/config',
  ])('%s, alone and with other files', async (path) => {
    const { worktree, take } = await started();
    const named = path.replace(/(git(?:~1)?)\/.*$/i, '$1');
    const refused = {
      code: 'conflict',
      message: expect.stringContaining(`${named} is a \`.git\` of its own`),
    };
    writeFiles(worktree.dir, { [path]: 'gitdir: /nowhere\n' });
    await expect(take()).rejects.toMatchObject(refused);
    writeFiles(worktree.dir, { 'src/b.txt': 'b\n', 'sub/c.txt': 'c\n' });
    await expect(take()).rejects.toMatchObject(refused);
    rmSync(join(worktree.dir, named), { recursive: true });
    await take();
  });

  it('a repository without and with a commit', async () => {
    const { worktree, take } = await started();
    init(worktree, 'empty');
    await expect(take()).rejects.toThrow('empty/.git is a `.git` of its own');
    rmSync(join(worktree.dir, 'empty'), { recursive: true });
    init(worktree, 'src/clone', true);
    await expect(take()).rejects.toThrow('src/clone/.git is a `.git` of its own');
  });

  it('but not where git ignores the folder, nor in a submodule', async () => {
    const location = userRepository(files);
    const inner = userRepository();
    userGit(location, '-c', 'protocol.file.allow=always', 'submodule', 'add', '-q', inner, 'lib');
    userGit(location, 'commit', '-qm', 'With a submodule');
    const repository = await opened({ location });
    const { claim, worktree } = await begun(repository, 'task-1');
    init(worktree, 'vendor/clone', true);
    init(worktree, 'lib', true);
    writeFiles(worktree.dir, { 'src/b.txt': 'b\n' });
    const { head } = await checkpoint(repository, worktree, claim);
    await requireNoNestedGit(repository, worktree, head);
  });
});

describe('what lies beside it', () => {
  const gone = { isInUse: () => false };

  it('is kept, with the files of a repository without a commit, and the worktree can go', async () => {
    const { repository, worktree } = await started();
    init(worktree, 'empty');
    writeFiles(worktree.dir, {
      'empty/in.txt': 'in\n',
      'empty/out.log': 'out\n',
      'src/b.txt': 'b\n',
      'sub/.GIT/config': 'x',
      'src/.git/config': 'x',
    });
    expect((await inspectWorktree(repository, 'task-1.1', gone)).isSafe).toBe(false);
    const kept = await salvage(repository, worktree);
    const tree = userGit(repository.dir, 'ls-tree', '-r', '--name-only', kept.ref!).split('\n');
    expect(tree).toEqual(['.gitignore', 'empty/in.txt', 'empty/out.log', 'src/a.txt', 'src/b.txt']);
    expect(await inspectWorktree(repository, 'task-1.1', gone)).toMatchObject({ state: 'kept' });
    writeFiles(worktree.dir, { 'empty/in.txt': 'other\n' });
    expect((await inspectWorktree(repository, 'task-1.1', gone)).isSafe).toBe(false);
    await salvage(repository, worktree);
    await pruneWorktrees(repository, gone);
    expect(existsSync(worktree.dir)).toBe(false);
  });

  it('is kept, and the worktree stays where it has commits or staged files of its own', async () => {
    const { repository, worktree } = await started();
    init(worktree, 'staged');
    writeFiles(worktree.dir, { 'staged/in.txt': 'in\n', 'src/b.txt': 'b\n' });
    userGit(join(worktree.dir, 'staged'), 'add', '.');
    const kept = await salvage(repository, worktree);
    expect(userGit(repository.dir, 'show', `${kept.ref!}:src/b.txt`)).toBe('b');
    expect(userGit(repository.dir, 'show', `${kept.ref!}:staged/in.txt`)).toBe('in');
    expect(await inspectWorktree(repository, 'task-1.1', gone)).toMatchObject({
      state: 'dirty',
      isSafe: false,
      reason: 'No reference keeps what is in staged/.git.',
    });
    await pruneWorktrees(repository, gone);
    expect(existsSync(worktree.dir)).toBe(true);
  });
});
