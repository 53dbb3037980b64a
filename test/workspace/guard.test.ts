import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { changesBetween } from '../../src/workspace/changes.js';
import { pathRefusal, refusalsOf } from '../../src/workspace/guard.js';
import { checkpoint } from '../../src/workspace/checkpoint.js';
import { userGit, writeFiles } from './repository.js';
import { begun, opened } from './work.js';

test.each([
  '.git/config',
  'a/.GIT/hooks/x',
  '.g\u200cit/config',
  'GIT~1/config',
  '.git. /x',
  '.git::$INDEX_ALLOCATION/x',
  'a\\b',
  'a//b',
  '../x',
  'x'.repeat(300),
])('%j is no path for a task', (path) => {
  expect(pathRefusal(path)).toMatchObject({ path, remedy: expect.stringContaining('Rename') });
});

test.each(['.gitignore', '.github/x', 'git', 'a.git/b', 'new\nline', '-dash', 'ünï'])(
  '%j is one',
  (path) => expect(pathRefusal(path)).toBeUndefined(),
);

test('links lead to places inside, repositories in the repository are refused', async () => {
  const repository = await opened();
  const { claim, worktree } = await begun(repository, 'task-1');
  writeFiles(worktree.dir, { 'deep/er/file': 'x' });
  const refused = {
    absolute: '/etc/passwd',
    'deep/up': '../../out',
    out: '..',
    zigzag: 'deep/er/../../..',
    'into-git': '.git/config',
    '.gitignore': 'a.txt',
  };
  const allowed = { inside: 'deep/er/file', 'deep/er/back': '../../a.txt', dangling: 'nothing' };
  for (const [path, target] of Object.entries({ ...refused, ...allowed }))
    symlinkSync(target, join(worktree.dir, path));
  userGit(worktree.dir, 'init', 'nested');
  userGit(join(worktree.dir, 'nested'), 'commit', '--allow-empty', '-m', 'Inner');
  const { head } = await checkpoint(repository, worktree, claim);
  const refusals = await refusalsOf(
    repository,
    await changesBetween(repository, claim.start, head),
  );
  expect(refusals.map(({ path }) => path)).toEqual([...Object.keys(refused), 'nested'].toSorted());
  for (const { remedy } of refusals) expect(remedy).toMatch(/\.$/);
});
