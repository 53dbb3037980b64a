import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkpoint } from '../../src/workspace/checkpoint.js';
import { endClaim } from '../../src/workspace/claims.js';
import { refsInUse } from '../../src/workspace/in-use.js';
import { temporaryFolder, userGit, userRepository, writeFiles } from './repository.js';
import { begun, merged, opened } from './work.js';

test('a task’s branch that somebody looks at stays when its work is merged or given up', async () => {
  const repository = await opened();
  const works = [await begun(repository, 'task-1'), await begun(repository, 'task-2')];
  const look = join(temporaryFolder(), 'look');
  const dirs = [repository.dir, look];
  for (const [at, { claim, worktree }] of works.entries()) {
    writeFiles(worktree.dir, { [`${claim.task}.txt`]: 'x\n' });
    const { head } = await checkpoint(repository, worktree, claim);
    if (at === 0) userGit(repository.dir, 'switch', `autonomous/${claim.task}`);
    else userGit(repository.dir, 'worktree', 'add', look, `autonomous/${claim.task}`);
    if (at === 0) expect((await merged(repository, claim, worktree)).kind).toBe('moved');
    else await endClaim(repository, claim);
    expect(userGit(dirs[at]!, 'rev-parse', `autonomous/${claim.task}`, 'HEAD')).toBe(
      `${head}\n${head}`,
    );
    expect(userGit(dirs[at]!, 'status', '--porcelain')).toBe('');
  }
  expect(userGit(repository.dir, 'for-each-ref', 'refs/drover/claims')).toBe('');
  // The next claim keeps what is there before it takes the branch.
  userGit(look, 'switch', '--detach');
  await begun(repository, 'task-2', 2);
  expect(userGit(repository.dir, 'ls-tree', '--name-only', 'refs/drover/kept/task-2.1')).toBe(
    'a.txt\ntask-2.txt',
  );
});

test('what counts are people’s checkouts that are there', async () => {
  const location = join(temporaryFolder(), 'bare.git');
  userGit(temporaryFolder(), 'clone', '--quiet', '--bare', userRepository(), location);
  const repository = await opened({ location });
  expect([...(await refsInUse(repository))]).toEqual([]);
  const look = join(temporaryFolder(), 'look');
  userGit(location, 'worktree', 'add', look, 'autonomous/goal-1');
  expect([...(await refsInUse(repository))]).toEqual([['refs/heads/autonomous/goal-1', look]]);
  rmSync(look, { recursive: true });
  expect([...(await refsInUse(repository))]).toEqual([]);
  const { worktree } = await begun(repository, 'task-1');
  userGit(worktree.dir, 'switch', '--ignore-other-worktrees', 'autonomous/goal-1');
  expect([...(await refsInUse(repository))]).toEqual([]);
});
