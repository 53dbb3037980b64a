/** A goal's branch is where Drover moved it, unless a person commits in a checkout of it. */
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { branchRef, goalBranch, readGoalBranch } from '../../src/workspace/branches.js';
import { putGoalBack } from '../../src/workspace/goal-moves.js';
import { lineOf } from '../../src/workspace/line.js';
import type { Repository } from '../../src/workspace/repository.js';
import { temporaryFolder, userGit, userRepository, writeFiles } from './repository.js';
import { begun, merged, opened } from './work.js';

const BRANCH = branchRef(goalBranch('goal-1'));

function bare(): string {
  const dir = temporaryFolder();
  userGit(dir, 'clone', '--bare', userRepository(), 'bare.git');
  return `${dir}/bare.git`;
}

describe.each([
  ['checkout', (dir: string) => dir, userRepository],
  ['bare', (dir: string) => dir, bare],
  ['remote', (dir: string) => pathToFileURL(dir).href, bare],
])('in a %s', (_, locate, make) => {
  async function oneMerged(): Promise<{ repository: Repository; dir: string; tip: string }> {
    const dir = make();
    const repository = await opened({ location: locate(dir) });
    const { claim, worktree } = await begun(repository, 'task-1');
    writeFiles(worktree.dir, { 'b.txt': 'b\n' });
    return { repository, dir, tip: (await merged(repository, claim, worktree)).commit };
  }

  it('it is put back, whatever it was moved to, and that is kept', async () => {
    const { repository, dir, tip } = await oneMerged();
    expect(await putGoalBack(repository, 'goal-1')).toBeUndefined();
    for (const [parent, message] of [
      [BRANCH, 'on top'],
      ['main', 'beside it'],
    ] as const) {
      const found = userGit(dir, 'commit-tree', `${BRANCH}^{tree}`, '-p', parent, '-m', message);
      userGit(dir, 'update-ref', BRANCH, found);
      const back = await putGoalBack(repository, 'goal-1');
      expect(back).toMatchObject({ branch: 'autonomous/goal-1', found, to: tip });
      expect(userGit(dir, 'rev-parse', BRANCH)).toBe(tip);
      expect(userGit(dir, 'rev-parse', back!.kept)).toBe(found);
      const line = await lineOf(repository, 'goal-1', []);
      expect(line!.putBack).toContainEqual({ ref: back!.kept, commit: found });
    }
    expect(await readGoalBranch(repository, 'goal-1')).toMatchObject({ tip, noted: tip });
  });

  it('no merge is taken back that is made while somebody looks', async () => {
    const { repository } = await oneMerged();
    const tasks = ['task-2', 'task-3', 'task-4', 'task-5'];
    const over = new AbortController();
    const looks = (async () => {
      const found = [];
      while (!over.signal.aborted) found.push(await putGoalBack(repository, 'goal-1'));
      return found;
    })();
    try {
      for (const task of tasks) {
        const { claim, worktree } = await begun(repository, task);
        writeFiles(worktree.dir, { [task]: `${task}\n` });
        expect((await merged(repository, claim, worktree)).kind).toBe('moved');
      }
    } finally {
      over.abort();
    }
    expect((await looks).filter(Boolean)).toEqual([]);
  });
});

describe('a person', () => {
  it('who commits in a checkout of it goes on from there, and Drover does too', async () => {
    const dir = userRepository();
    const repository = await opened({ location: dir });
    const look = `${temporaryFolder()}/look`;
    userGit(dir, 'worktree', 'add', '-q', look, 'autonomous/goal-1');
    userGit(look, 'commit', '-q', '--allow-empty', '-m', 'One');
    userGit(look, 'commit', '-q', '--allow-empty', '-m', 'Two');
    const tip = userGit(look, 'rev-parse', 'HEAD');
    expect(await putGoalBack(repository, 'goal-1')).toBeUndefined();
    expect(await readGoalBranch(repository, 'goal-1')).toMatchObject({ tip, noted: tip });
  });

  it('who takes the checkout away again, or has rebased there, has moved it all the same', async () => {
    const dir = userRepository();
    const repository = await opened({ location: dir });
    const look = `${temporaryFolder()}/look`;
    userGit(dir, 'worktree', 'add', '-q', look, 'autonomous/goal-1');
    userGit(look, 'commit', '-q', '--allow-empty', '-m', 'One');
    userGit(dir, 'worktree', 'remove', look);
    expect(await putGoalBack(repository, 'goal-1')).toBeUndefined();
    userGit(dir, 'worktree', 'add', '-q', look, 'autonomous/goal-1');
    const other = userGit(dir, 'commit-tree', 'main^{tree}', '-p', 'main', '-m', 'other');
    userGit(look, 'rebase', '-q', '--keep-empty', other);
    userGit(look, 'switch', '-q', '--detach');
    const tip = userGit(dir, 'rev-parse', BRANCH);
    expect(userGit(dir, 'log', '--format=%s', BRANCH)).toContain('other');
    expect(await putGoalBack(repository, 'goal-1')).toBeUndefined();
    expect(await readGoalBranch(repository, 'goal-1')).toMatchObject({ tip, noted: tip });
  });

  it('is not a task that goes to it in its own worktree', async () => {
    const dir = userRepository();
    const repository = await opened({ location: dir });
    const tip = userGit(dir, 'rev-parse', BRANCH);
    const { worktree } = await begun(repository, 'task-1');
    userGit(worktree.dir, 'switch', '-q', 'autonomous/goal-1');
    userGit(worktree.dir, 'commit', '-q', '--allow-empty', '-m', 'Mine');
    expect(await putGoalBack(repository, 'goal-1')).toMatchObject({ to: tip });
    const other = userGit(dir, 'commit-tree', 'main^{tree}', '-p', 'main', '-m', 'other');
    userGit(worktree.dir, 'reset', '-q', '--hard', BRANCH);
    userGit(worktree.dir, 'commit', '-q', '--allow-empty', '-m', 'Mine');
    userGit(worktree.dir, 'rebase', '-q', '--keep-empty', other);
    expect(await putGoalBack(repository, 'goal-1')).toMatchObject({ to: tip });
  });

  it('who commits on top of what somebody moved it to is told where they are', async () => {
    const dir = userRepository();
    const repository = await opened({ location: dir });
    const strange = userGit(dir, 'commit-tree', 'main^{tree}', '-p', 'main', '-m', 'strange');
    userGit(dir, 'update-ref', BRANCH, strange);
    const look = `${temporaryFolder()}/look`;
    userGit(dir, 'worktree', 'add', '-q', look, 'autonomous/goal-1');
    userGit(look, 'commit', '-q', '--allow-empty', '-m', 'Mine');
    await expect(putGoalBack(repository, 'goal-1')).rejects.toMatchObject({ code: 'hindered' });
    userGit(look, 'switch', '-q', '--detach');
    const mine = userGit(look, 'rev-parse', 'HEAD');
    expect(await putGoalBack(repository, 'goal-1')).toMatchObject({ found: mine });
    expect(userGit(dir, 'for-each-ref', '--points-at', mine, 'refs/drover/put-back')).not.toBe('');
  });
});
