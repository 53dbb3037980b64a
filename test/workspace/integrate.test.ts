import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { openGoalBranch, readGoalBranch } from '../../src/workspace/branches.js';
import { checkpoint } from '../../src/workspace/checkpoint.js';
import { beginClaim, endClaim } from '../../src/workspace/claims.js';
import { commitMerge, landMerges } from '../../src/workspace/integrate.js';
import { mergeWork } from '../../src/workspace/merge.js';
import { findMerge, mergesOf } from '../../src/workspace/merges.js';
import { createCheckWorktree } from '../../src/workspace/worktree.js';
import { temporaryFolder, userGit, userRepository, writeFiles } from './repository.js';
import { begun, merged, opened } from './work.js';

const clonedBare = (): string => {
  const dir = join(temporaryFolder(), 'bare.git');
  execFileSync('git', ['clone', '-q', '--bare', userRepository(), dir]);
  return dir;
};

describe.each([
  ['checkout', () => userRepository()],
  ['bare', clonedBare],
  ['remote', () => `file://${clonedBare()}`],
] as const)('a task in a %s', (kind, location) => {
  test('is worked on, merged and recognised', async () => {
    const repository = await opened({ location: location() });
    expect(repository.kind).toBe(kind);
    const { claim, worktree } = await begun(repository, 'task-1');
    writeFiles(worktree.dir, { 'b.txt': 'b\n' });
    const { kind: result, commit } = await merged(repository, claim, worktree);
    expect(result).toBe('moved');
    const goal = (await readGoalBranch(repository, 'goal-1'))!;
    expect(goal.tip).toBe(commit);
    expect(await findMerge(repository, goal, 'task-1')).toMatchObject({ claim: 1, commit });
    const shown = repository.url === undefined ? repository.dir : repository.url.slice(7);
    expect(userGit(shown, 'ls-tree', '--name-only', 'autonomous/goal-1')).toBe('a.txt\nb.txt');
    expect(userGit(shown, 'for-each-ref', '--format=%(refname)')).toBe(
      'refs/drover/goals/goal-1\nrefs/drover/tips/goal-1\nrefs/heads/autonomous/goal-1\nrefs/heads/main',
    );
    await expect(beginClaim(repository, { ...claim, owner: 'you' })).rejects.toMatchObject({
      code: 'stale-claim',
    });
    // Whoever does not know of the merge starts where it did; a task that is run again starts from it.
    const { start } = claim;
    const { head } = (await findMerge(repository, goal, 'task-1'))!;
    expect(await beginClaim(repository, { ...claim, claim: 2 })).toMatchObject({
      start,
      merged: head,
    });
    const again = await begun(repository, 'task-1', 3, 'me', 2);
    expect(again.claim).toMatchObject({ start: commit });
    expect(again.claim.merged).toBeUndefined();
    writeFiles(again.worktree.dir, { 'c.txt': 'c\n' });
    await merged(repository, again.claim, again.worktree);
    const after = (await readGoalBranch(repository, 'goal-1'))!;
    expect(await mergesOf(repository, after)).toMatchObject([
      { claim: 3, generation: 2 },
      { claim: 1, generation: 1 },
    ]);
  });

  test('merges once, of two claims that both finish', async () => {
    const repository = await opened({ location: location() });
    const first = await begun(repository, 'task-1', 1);
    writeFiles(first.worktree.dir, { 'b.txt': 'first\n' });
    const { head } = await checkpoint(repository, first.worktree, first.claim);
    const second = await begun(repository, 'task-1', 2, 'you');
    writeFiles(second.worktree.dir, { 'b.txt': 'second\n' });
    await expect(checkpoint(repository, first.worktree, first.claim)).rejects.toMatchObject({
      code: 'stale-claim',
    });
    const tip = (await readGoalBranch(repository, 'goal-1'))!.tip;
    const stale = await mergeWork(repository, tip, { start: first.claim.start, head });
    const commit = await commitMerge(repository, {
      onto: tip,
      head,
      tree: stale.kind === 'merged' ? stale.tree : '',
      claim: first.claim,
      subject: 'Stale',
    });
    const landing = { goal: 'goal-1', from: tip, to: commit, claims: [{ ...first.claim, head }] };
    await expect(landMerges(repository, landing)).rejects.toMatchObject({ code: 'stale-claim' });
    expect(await merged(repository, second.claim, second.worktree)).toMatchObject({
      kind: 'moved',
    });
    await expect(landMerges(repository, landing)).rejects.toMatchObject({ code: 'stale-claim' });
    await expect(
      beginClaim(repository, { goal: 'goal-1', task: 'task-1', claim: 1, owner: 'me' }),
    ).rejects.toMatchObject({ code: 'stale-claim' });
    const refs = await repository.git.run([
      'for-each-ref',
      '--format=%(refname)',
      'refs/drover/kept/',
    ]);
    expect(refs).toBe('refs/drover/kept/task-1.1\n');
  });

  test('loses a race for the branch, and merges onto the new tip', async () => {
    const repository = await opened({ location: location() });
    const one = await begun(repository, 'task-1');
    const two = await begun(repository, 'task-2');
    writeFiles(one.worktree.dir, { 'one.txt': '1\n' });
    writeFiles(two.worktree.dir, { 'two.txt': '2\n' });
    const { head } = await checkpoint(repository, two.worktree, two.claim);
    const tip = (await readGoalBranch(repository, 'goal-1'))!.tip;
    const early = await mergeWork(repository, tip, { start: two.claim.start, head });
    const tree = early.kind === 'merged' ? early.tree : '';
    const onto = { onto: tip, head, tree, claim: two.claim, subject: 'Two' };
    const commit = await commitMerge(repository, onto);
    const won = await merged(repository, one.claim, one.worktree);
    const claims = [{ ...two.claim, head }];
    expect(await landMerges(repository, { goal: 'goal-1', from: tip, to: commit, claims })).toEqual(
      {
        kind: 'lost-race',
        tip: won.commit,
      },
    );
    const again = await merged(repository, two.claim, two.worktree);
    expect(again.kind).toBe('moved');
    // Repeated after a crash, the same merge is seen to be there.
    expect(
      await landMerges(repository, { goal: 'goal-1', from: won.commit, to: again.commit, claims }),
    ).toEqual({ kind: 'merged-before', commit: again.commit });
  });
});

describe('a merge', () => {
  test('tells conflicts with both sides, and takes nothing', async () => {
    const repository = await opened({
      location: userRepository({ 'a.txt': 'one\ntwo\nthree\n', 'gone.txt': 'x\n' }),
    });
    const [one, two] = [await begun(repository, 'task-1'), await begun(repository, 'task-2')];
    writeFiles(one.worktree.dir, { 'a.txt': 'one\nTWO\nthree\n', 'gone.txt': 'y\n' });
    writeFiles(two.worktree.dir, { 'a.txt': 'one\n2\nthree\n' });
    execFileSync('rm', [join(two.worktree.dir, 'gone.txt')]);
    const { commit } = await merged(repository, one.claim, one.worktree);
    const { head } = await checkpoint(repository, two.worktree, two.claim);
    const result = await mergeWork(repository, commit, { start: two.claim.start, head });
    expect(result).toMatchObject({
      kind: 'conflict',
      conflicts: [
        { path: 'a.txt', kind: 'content', text: expect.stringContaining('TWO\n|||||||') },
        { path: 'gone.txt', kind: 'modify/delete' },
      ],
    });
    await endClaim(repository, two.claim);
    const kept = await repository.git.run(['rev-parse', 'refs/drover/kept/task-2.1']);
    expect(kept.trim()).toBe(head);
  });

  test('leaves what Drover writes as it is, and puts in what it is given', async () => {
    const repository = await opened({
      location: userRepository({ 'a.txt': 'a\n', 'STATE.yaml': 'old\n' }),
    });
    const { claim, worktree } = await begun(repository, 'task-1');
    writeFiles(worktree.dir, {
      'STATE.yaml': 'forged\n',
      'tasks/task-1.md': 'forged\n',
      'tasks/notes.md': 'mine\n',
    });
    const { head } = await checkpoint(repository, worktree, claim);
    const result = await mergeWork(repository, claim.start, { start: claim.start, head });
    if (result.kind !== 'merged') throw new Error(result.kind);
    const commit = await commitMerge(repository, {
      onto: claim.start,
      head,
      tree: result.tree,
      claim,
      subject: 'Merge task-1:\nforged',
      check: 'npm test: passed',
      files: [{ path: 'STATE.yaml', content: 'new\n' }],
      author: { name: 'A', email: 'a@b' },
    });
    expect(userGit(repository.dir, 'ls-tree', '-r', '--name-only', commit)).toBe(
      'STATE.yaml\na.txt\ntasks/notes.md',
    );
    expect(userGit(repository.dir, 'show', `${commit}:STATE.yaml`)).toBe('new');
    expect(userGit(repository.dir, 'log', '-1', '--format=%an|%B', commit)).toBe(
      'A|Merge task-1: forged\n\nDrover-Task: task-1\nDrover-Claim: 1\nDrover-Goal: goal-1\nDrover-Check: npm test: passed',
    );
    const check = await createCheckWorktree(repository, commit, claim);
    expect(userGit(check.dir, 'status', '--porcelain')).toBe('');
    expect(userGit(check.dir, 'rev-parse', 'HEAD')).toBe(commit);
    expect(existsSync(join(check.dir, 'tasks/notes.md'))).toBe(true);
    // The user's own checkout knows nothing of all this.
    expect(userGit(repository.dir, 'status', '--porcelain=v2', '--branch')).toContain('head main');
  });

  test('refuses work that rests on what was rolled back', async () => {
    const repository = await opened();
    const one = await begun(repository, 'task-1');
    writeFiles(one.worktree.dir, { 'b.txt': 'b\n' });
    const { commit } = await merged(repository, one.claim, one.worktree);
    const two = await begun(repository, 'task-2');
    writeFiles(two.worktree.dir, { 'c.txt': 'c\n' });
    const { head } = await checkpoint(repository, two.worktree, two.claim);
    expect(two.claim.start).toBe(commit);
    const result = await mergeWork(repository, one.claim.start, { start: commit, head });
    expect(result).toEqual({ kind: 'start-gone' });
  });
});

test('a goal’s branch of which git has written one half so far is waited for', async () => {
  const repository = await opened();
  const whole = await readGoalBranch(repository, 'goal-1');
  for (const ref of ['refs/heads/autonomous/goal-1', 'refs/drover/goals/goal-1']) {
    userGit(repository.dir, 'update-ref', '-d', ref);
    const reading = readGoalBranch(repository, 'goal-1');
    await sleep(100);
    userGit(repository.dir, 'update-ref', ref, whole!.tip);
    expect(await reading).toEqual(whole);
  }
  userGit(repository.dir, 'update-ref', '-d', 'refs/heads/autonomous/goal-1');
  await expect(readGoalBranch(repository, 'goal-1')).rejects.toMatchObject({
    code: 'hindered',
    message: expect.stringContaining('is gone, but goal-1 has started'),
  });
  // It is known where Drover had it.
  expect(await openGoalBranch(repository, 'goal-1')).toEqual(whole);
});
