/** Agents on different machines: each works from a clone of its own of a repository that is served to all. */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { readGoalBranch } from '../../src/workspace/branches.js';
import { checkpoint } from '../../src/workspace/checkpoint.js';
import type { Environment } from '../../src/workspace/git.js';
import { landMerges } from '../../src/workspace/integrate.js';
import { landGoal, prepareLanding } from '../../src/workspace/land.js';
import { pushBranch } from '../../src/workspace/push.js';
import { moveRefs } from '../../src/workspace/refs.js';
import type { Repository } from '../../src/workspace/repository.js';
import { gitDaemon, sshProgram, sshServer } from '../support/git-server.js';
import { temporaryFolder, userGit, userRepository, writeFiles } from './repository.js';
import { begun, merged, opened } from './work.js';

interface Served {
  readonly dir: string;
  /** Opens it as another machine does. */
  readonly clone: () => Promise<Repository>;
}

const { PATH } = process.env;
const KINDS = ['git daemon', 'ssh', 'sshd'] as const;

async function servedBy(kind: (typeof KINDS)[number], context?: TestContext): Promise<Served> {
  const root = temporaryFolder();
  const dir = join(root, 'shop.git');
  execFileSync('git', ['clone', '-q', '--bare', userRepository(), dir]);
  userGit(dir, 'config', 'uploadpack.allowFilter', 'true');
  const clones = (url: string, environment: Environment) => ({
    dir,
    clone: () => opened({ location: `${url}/shop.git`, environment }),
  });
  if (kind === 'git daemon') return clones(await gitDaemon(root), { PATH });
  if (kind === 'ssh') {
    const GIT_SSH_COMMAND = sshProgram(temporaryFolder());
    return clones(`ssh://git@elsewhere.invalid${root}`, { PATH, GIT_SSH_COMMAND });
  }
  const server = await sshServer(temporaryFolder());
  if ('missing' in server) return context!.skip(server.missing);
  return clones(`${server.url}${root}`, { PATH, GIT_SSH_COMMAND: server.command });
}

function writeHook(dir: string, name: string, script: string): void {
  const file = join(dir, 'hooks', name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

describe.each(KINDS)('two clones of what %s serves', (kind) => {
  test('merge what many tasks do in both at once', async (context) => {
    const { dir, clone } = await servedBy(kind, context);
    const clones = await Promise.all([clone(), clone()]);
    const names = Array.from({ length: 6 }, (_, at) => at + 1);
    await Promise.all(
      names.map(async (at) => {
        const work = await begun(clones[at % 2]!, `task-${at}`);
        writeFiles(work.worktree.dir, { [`${at}.txt`]: `${at}\n` });
        while ((await merged(clones[at % 2]!, work.claim, work.worktree)).kind !== 'moved');
      }),
    );
    expect(userGit(dir, 'ls-tree', '--name-only', 'autonomous/goal-1').split('\n')).toEqual([
      ...names.map((at) => `${at}.txt`),
      'a.txt',
    ]);
    expect(userGit(dir, 'for-each-ref', '--format=%(refname)')).toBe(
      'refs/drover/goals/goal-1\nrefs/drover/tips/goal-1\nrefs/heads/autonomous/goal-1\nrefs/heads/main',
    );
  });

  test('know which claim holds a task, and what the loser of a race did', async (context) => {
    const { dir, clone } = await servedBy(kind, context);
    const [one, two] = [await clone(), await clone()];
    const first = await begun(one, 'task-1', 1);
    writeFiles(first.worktree.dir, { 'b.txt': 'first\n' });
    const { head } = await checkpoint(one, first.worktree, first.claim);
    const second = await begun(two, 'task-1', 2, 'you');
    writeFiles(second.worktree.dir, { 'b.txt': 'second\n' });
    const stale = { code: 'stale-claim' };
    writeFiles(first.worktree.dir, { 'b.txt': 'first, and more\n' });
    await expect(checkpoint(one, first.worktree, first.claim)).rejects.toMatchObject(stale);
    const from = first.claim.start;
    const claims = [{ ...first.claim, head }];
    await expect(landMerges(one, { goal: 'goal-1', from, to: head, claims })).rejects.toMatchObject(
      stale,
    );
    const other = await begun(one, 'task-2');
    writeFiles(other.worktree.dir, { 'c.txt': 'c\n' });
    const { head: late } = await checkpoint(one, other.worktree, other.claim);
    const won = await merged(two, second.claim, second.worktree);
    const race = { goal: 'goal-1', from, to: late, claims: [{ ...other.claim, head: late }] };
    expect(await landMerges(one, race)).toEqual({ kind: 'lost-race', tip: won.commit });
    expect((await merged(one, other.claim, other.worktree)).kind).toBe('moved');
    expect(userGit(dir, 'show', 'autonomous/goal-1:b.txt')).toBe('second');
    expect(userGit(dir, 'for-each-ref', '--format=%(objectname)', 'refs/drover/kept')).toBe(head);
  });
});

test('a repository is used in place by one and behind its URL by another', async () => {
  const { dir, clone } = await servedBy('git daemon');
  const here = await opened({ location: dir });
  const there = await clone();
  const [near, far] = [await begun(here, 'task-1'), await begun(there, 'task-2')];
  writeFiles(near.worktree.dir, { 'near.txt': 'near\n' });
  writeFiles(far.worktree.dir, { 'far.txt': 'far\n' });
  const { head } = await checkpoint(there, far.worktree, far.claim);
  expect(userGit(here.dir, 'rev-parse', 'autonomous/task-2')).toBe(head);
  await merged(here, near.claim, near.worktree);
  await merged(there, far.claim, far.worktree);
  const how = { goal: 'goal-1', merge: 'merge-commit', subject: 'Land goal-1' } as const;
  const prepared = await prepareLanding(here, how);
  if (prepared.kind !== 'ready') throw new Error(prepared.kind);
  expect((await landGoal(here, prepared.landing)).kind).toBe('landed');
  expect(await prepareLanding(there, how)).toEqual({
    kind: 'landed',
    commit: prepared.landing.to,
  });
  expect(userGit(dir, 'ls-tree', '--name-only', 'main')).toBe('a.txt\nfar.txt\nnear.txt');
});

test('what moves between the question and the push is a lost race', async () => {
  const { dir, clone } = await servedBy('git daemon');
  const repository = await clone();
  const { claim, worktree } = await begun(repository, 'task-1');
  writeFiles(worktree.dir, { 'b.txt': 'b\n' });
  // Somebody else is faster, once: the server has told its references by then.
  const theirs = userGit(dir, 'commit-tree', 'main^{tree}', '-p', 'main', '-m', 'Theirs');
  const once = `rm hooks/pre-receive; env -u GIT_QUARANTINE_PATH git update-ref refs/heads/autonomous/goal-1 ${theirs}`;
  const { head } = await checkpoint(repository, worktree, claim);
  writeHook(dir, 'pre-receive', once);
  const landing = { goal: 'goal-1', from: claim.start, to: head, claims: [{ ...claim, head }] };
  expect(await landMerges(repository, landing)).toEqual({ kind: 'lost-race', tip: theirs });
  // Nothing of what it wanted has happened.
  expect(userGit(dir, 'rev-parse', 'autonomous/task-1')).toBe(head);
  expect((await merged(repository, claim, worktree)).kind).toBe('moved');
  expect(userGit(dir, 'log', '--format=%s', '--first-parent', 'autonomous/goal-1')).toBe(
    'Merge task-1\nTheirs\nFirst',
  );
});

test('a move that somebody else has made already is a lost race, and what it was made with is taken back', async () => {
  const { dir, clone } = await servedBy('git daemon');
  const repository = await clone();
  const ref = 'refs/heads/main';
  const from = userGit(dir, 'rev-parse', ref);
  const to = userGit(dir, 'commit-tree', `${ref}^{tree}`, '-p', ref, '-m', 'Theirs');
  userGit(dir, 'update-ref', ref, to);
  await readGoalBranch(repository, 'goal-1');
  const before = userGit(dir, 'for-each-ref');
  const kept = { ref: 'refs/drover/kept/task-1.1', from: null, to: from };
  expect(await moveRefs(repository, [{ ref, from, to }, kept])).toBe('lost-race');
  expect(userGit(dir, 'for-each-ref')).toBe(before);
});

test('what a server refuses is told in its words', async () => {
  const { dir, clone } = await servedBy('git daemon');
  const repository = await clone();
  const tip = (await readGoalBranch(repository, 'goal-1'))!.tip;
  writeHook(dir, 'pre-receive', 'echo "Ask the owner first." >&2; exit 1');
  const move = { ref: 'refs/heads/main', from: tip, to: null };
  for (const push of [
    () => moveRefs(repository, [move]),
    () => pushBranch(repository, tip, 'theirs'),
  ]) {
    await expect(push()).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/pre-receive hook declined.*Ask the owner first/),
    });
  }
});
