/**
 * Commits what is in a worktree, from outside.
 *
 * Kept here: nothing of the repository runs and nothing of the agent's is disturbed: its index is copied, not
 * used, and its HEAD stays. What git ignores is left out, bytes are taken as they are. A task's branch moves only
 * with its claim (invariant 5), and salvaged work gets a reference before anybody may remove it (invariant 8).
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DroverError, messageOf } from '../core/errors.js';
import { branchRef, claimRef, keptRef, taskBranch } from './branches.js';
import { type Claim, readClaim, staleClaim } from './claims.js';
import { commitTree, isWithin, readCommit, treeOf } from './commits.js';
import type { Author } from './git.js';
import { nestedGit, type NestedGit, nestedRefusals } from './nested-git.js';
import { moveRefs, readRefs } from './refs.js';
import type { Repository } from './repository.js';
import { type LeftOut, leftOutText, type TreeOfFiles, treeOfFiles } from './tree-of-files.js';
import { makeAdminDir } from './worktree.js';
import type { Worktree } from './worktree-record.js';

export interface Checkpoint {
  /** The commit with the worktree's files; the claim's start where there is no work. */
  readonly head: string;
  /** Whether there is any work since the start. */
  readonly hasWork: boolean;
  /** Git's folders of others in it; looked for only to leave them out. */
  readonly nested: readonly NestedGit[];
  /** What git could not take in; empty unless that was to be left out. */
  readonly leftOut: readonly LeftOut[];
}

export interface CheckpointOptions {
  /** Default: the task and its claim. */
  readonly message?: string;
  readonly author?: Author | undefined;
  /** Whether the commits that were made in it will do where the folder is gone. */
  readonly mayBeGone?: boolean;
  /**
   * Whether to take in what there is around repositories in it, their files, and all that git can take in, in place of
   * refusing the whole.
   */
  readonly leavesOut?: boolean;
}

/**
 * Commits the work onto the task's branch.
 * @throws DroverError `stale-claim` where the claim does not hold its task any more; `bad-input` where git cannot
 *   take in what is there, `conflict` where a repository in it is why, `not-found` where the folder is gone
 */
export async function checkpoint(
  repository: Repository,
  worktree: Worktree,
  claim: Claim,
  options: CheckpointOptions = {},
): Promise<Checkpoint> {
  const ref = branchRef(taskBranch(claim.task));
  for (let tries = 0; ; tries += 1) {
    const before = (await readRefs(repository, [ref])).get(ref);
    const made = await snapshot(repository, worktree, before, options);
    const held = { ref: claimRef(claim.task), from: claim.fence, to: claim.fence };
    const moves = [held, { ref, from: before ?? null, to: made.head }];
    if ((await moveRefs(repository, moves, 'drover: checkpoint')) === 'moved') return made;
    const holder = (await readRefs(repository, [held.ref])).get(held.ref);
    if (holder !== claim.fence || tries >= 5)
      throw staleClaim(claim, await readClaim(repository, claim.task));
  }
}

export interface Salvaged extends Checkpoint {
  /** The reference that keeps it; undefined where there is nothing to keep. */
  readonly ref?: string;
}

/**
 * Commits what a claim that is over left in its worktree, and keeps it as `refs/drover/kept/task-123.CLAIM`. The
 * worktree stays. What git cannot take in, such as a folder without access, is left out.
 */
export async function salvage(
  repository: Repository,
  worktree: Worktree,
  author?: Author,
): Promise<Salvaged> {
  const { task, claim, start } = worktree.record;
  const ref = keptRef(task, claim);
  for (let tries = 0; ; tries += 1) {
    const before = (await readRefs(repository, [ref])).get(ref);
    const message = `Keep what claim ${claim} of ${task} left`;
    const options = { author, message, mayBeGone: true, leavesOut: true };
    const made = await snapshot(repository, worktree, before, options);
    if (made.head === before) return { ...made, ref };
    if (made.head === start) return made;
    const result = await moveRefs(repository, [{ ref, from: before ?? null, to: made.head }]);
    if (result === 'moved') return { ...made, ref };
    if (tries >= 5) throw new DroverError('conflict', `${ref} moves all the time.`, 'Try again.');
  }
}

/** @param before the last commit of this worktree that there is */
async function snapshot(
  repository: Repository,
  worktree: Worktree,
  before: string | undefined,
  { message, author, mayBeGone = false, leavesOut = false }: CheckpointOptions,
): Promise<Checkpoint> {
  const { start, task, claim } = worktree.record;
  const isGone = !existsSync(worktree.dir);
  if (isGone && !mayBeGone) throw gone(worktree);
  // Its files are what counts, and git needs a place for their index.
  if (!existsSync(join(worktree.adminDir, 'HEAD'))) await makeAdminDir(repository, worktree);
  const parents = await parentsOf(repository, worktree, before);
  const nested =
    leavesOut && !isGone ? await nestedGit(repository, worktree, worktree.record.start) : [];
  const { tree, leftOut } = isGone
    ? { tree: await treeOf(repository, parents[0]!), leftOut: [] }
    : await filesIn(repository, worktree, nested);
  if (leftOut.length > 0 && !leavesOut) throw await leftOutError(repository, worktree, leftOut);
  const hasWork = tree !== (await treeOf(repository, start));
  if (parents.length === 1 && tree === (await treeOf(repository, parents[0]!)))
    return { head: parents[0]!, hasWork, nested, leftOut };
  const text = message ?? `Work on ${task}, claim ${claim}`;
  return {
    head: await commitTree(repository, { tree, parents, message: `${text}\n`, author }),
    hasWork,
    nested,
    leftOut,
  };
}

const gone = ({ dir }: Worktree): DroverError =>
  new DroverError(
    'not-found',
    `The worktree ${dir} is gone: something removed it while its task ran.`,
    'See whether the task itself does; the next attempt gets another one.',
  );

async function filesIn(
  repository: Repository,
  worktree: Worktree,
  nested: readonly NestedGit[],
): Promise<TreeOfFiles> {
  try {
    return await treeOfFiles(repository, worktree, nested);
  } catch (error) {
    if (error instanceof DroverError) throw error;
    const said = messageOf(error).trim().split('\n').at(-1);
    throw new DroverError(
      'bad-input',
      `What is in the worktree ${worktree.dir} cannot be committed: ${said}`,
      'Remove the file that git names, or leave it out with .gitignore.',
      { cause: error },
    );
  }
}

/** Git may have stumbled over a repository in it. */
async function leftOutError(
  repository: Repository,
  worktree: Worktree,
  leftOut: readonly LeftOut[],
): Promise<DroverError> {
  const nested = await nestedGit(repository, worktree, worktree.record.start);
  if (nested.length > 0) return nestedError(nested);
  const remedy = 'Write plain files that can be read there, or name them in .gitignore.';
  return new DroverError(
    'conflict',
    `The work cannot be taken. ${leftOut.map(leftOutText).join(' ')} ${remedy}`,
  );
}

/** The next attempt may do without. */
function nestedError(nested: readonly NestedGit[]): DroverError {
  const parts = nestedRefusals(nested).map(
    ({ path, problem, remedy }) => `${path} ${problem}. ${remedy}`,
  );
  return new DroverError('conflict', `The work cannot be taken. ${parts.join(' ')}`);
}

/** @param head what was committed of the worktree. @throws DroverError `conflict`, which names git's folders in it */
export async function requireNoNestedGit(
  repository: Repository,
  worktree: Worktree,
  head: string,
): Promise<void> {
  const nested = await nestedGit(repository, worktree, head);
  if (nested.length > 0) throw nestedError(nested);
}

/** What the commit comes after: the checkpoint before it, and commits that were made in the worktree since. */
async function parentsOf(
  repository: Repository,
  { adminDir, record: { start } }: Worktree,
  before: string | undefined,
): Promise<string[]> {
  const head = (await headOf(repository, adminDir)) ?? start;
  // History that does not come from the start says nothing about this work.
  const own = (await isWithin(repository, start, head)) ? head : start;
  if (before === undefined || !(await isWithin(repository, start, before))) return [own];
  if (await isWithin(repository, own, before)) return [before];
  return (await isWithin(repository, before, own)) ? [own] : [own, before];
}

/** The commit that a worktree's HEAD names, undefined where it names none. */
export async function headOf(
  repository: Repository,
  adminDir: string,
): Promise<string | undefined> {
  const { git } = repository;
  const named = (await readFile(join(adminDir, 'HEAD'), 'utf8').catch(() => '')).trim();
  if (/^[0-9a-f]{40,64}$/.test(named) && (await readCommit(repository, named))) return named;
  const variables = { GIT_DIR: adminDir };
  const asked = await git
    .run(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], { variables })
    .catch(() => '');
  return asked.trim() || undefined;
}
