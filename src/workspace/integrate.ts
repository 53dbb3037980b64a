/**
 * Makes a task's merge commit and moves the goal's branch to it.
 *
 * Invariants kept here: 4 (a task's merge happens once), 5 (only the claim that holds the task merges it) and 7
 * (what is merged is the tree that was handed in, which is the one that was checked). The branch moves and the
 * claims end in one transaction that names the old values of all of them.
 */
import { DroverError } from '../core/errors.js';
import {
  branchRef,
  claimRef,
  goalBranch,
  keptRef,
  readGoalBranch,
  taskBranch,
} from './branches.js';
import { type Claim, readClaim, staleClaim } from './claims.js';
import { commitTree } from './commits.js';
import type { Author } from './git.js';
import { refsInUse } from './in-use.js';
import { mergesOf } from './merges.js';
import { moveRefs, readRefs } from './refs.js';
import type { RefMove } from './ref-move.js';
import type { Repository } from './repository.js';
import { putFiles, type TreeFile } from './trees.js';

export interface MergeCommit {
  /** What the merge was made onto. */
  readonly onto: string;
  /** The task's last commit; undefined for a task without work of its own. */
  readonly head?: string | undefined;
  /** From `mergeWork`. */
  readonly tree: string;
  readonly claim: Pick<Claim, 'goal' | 'task' | 'claim' | 'generation'>;
  /** The subject, one line. */
  readonly subject: string;
  /** What the check was and said, one line; no check without it. */
  readonly check?: string | undefined;
  /** Files to put into the tree besides, such as STATE.yaml. */
  readonly files?: readonly TreeFile[];
  readonly author?: Author | undefined;
}

/** The merge commit; nothing names it yet. @returns its id */
export async function commitMerge(
  repository: Repository,
  { onto, head, tree, claim, subject, check, files = [], author }: MergeCommit,
): Promise<string> {
  const whole = files.length === 0 ? tree : await putFiles(repository, tree, files);
  const trailers = [
    `Drover-Task: ${claim.task}`,
    `Drover-Claim: ${claim.claim}`,
    `Drover-Goal: ${claim.goal}`,
    ...((claim.generation ?? 1) === 1 ? [] : [`Drover-Generation: ${claim.generation}`]),
    ...(check === undefined ? [] : [`Drover-Check: ${oneLine(check)}`]),
  ];
  const parents = head === undefined || head === onto ? [onto] : [onto, head];
  const message = `${oneLine(subject)}\n\n${trailers.join('\n')}\n`;
  return commitTree(repository, { tree: whole, parents, message, author });
}

export interface Landing {
  readonly goal: string;
  /** The goal's branch as it must be now. */
  readonly from: string;
  /** The last of the merge commits, each made onto the one before. */
  readonly to: string;
  /** Whose merges these are, with the work that was merged. */
  readonly claims: readonly MergedClaim[];
}

export interface MergedClaim extends Claim {
  readonly head?: string | undefined;
}

export type LandingResult =
  | { readonly kind: 'moved' }
  /** The goal's branch has moved: merge again onto its tip. */
  | { readonly kind: 'lost-race'; readonly tip: string }
  /** This very merge was made before, so there is nothing to do. */
  | { readonly kind: 'merged-before'; readonly commit: string };

/**
 * Moves the goal's branch and ends the claims, all of it or nothing.
 * @throws DroverError `stale-claim` where one of the claims does not hold its task any more
 */
export async function landMerges(
  repository: Repository,
  { goal, from, to, claims }: Landing,
): Promise<LandingResult> {
  const branch = branchRef(goalBranch(goal));
  for (let tries = 0; ; tries += 1) {
    const moves: RefMove[] = [{ ref: branch, from, to }, ...(await endsOf(repository, claims))];
    const reason = `drover: merge ${claims.map(({ task }) => task).join(', ')}`;
    if ((await moveRefs(repository, moves, reason)) === 'moved') return { kind: 'moved' };

    const started = await readGoalBranch(repository, goal);
    if (!started) throw gone(repository, goal);
    const merges = await mergesOf(repository, started);
    const last = merges.find((merge) => merge.commit === to);
    if (last) return { kind: 'merged-before', commit: last.commit };
    const held = await readRefs(
      repository,
      claims.map(({ task }) => claimRef(task)),
    );
    const stale = claims.find(({ task, fence }) => held.get(claimRef(task)) !== fence);
    if (stale) throw staleClaim(stale, await readClaim(repository, stale.task));
    if (started.tip !== from) return { kind: 'lost-race', tip: started.tip };
    // Only a task's branch moved, which its own claim may do as long as it is not merged.
    if (tries >= 5) throw gone(repository, goal);
  }
}

/** The end of each claim and of its branch; work that is newer than what was merged is kept. */
async function endsOf(repository: Repository, claims: readonly MergedClaim[]): Promise<RefMove[]> {
  const refs = await readRefs(
    repository,
    claims.flatMap(({ task, claim }) => [branchRef(taskBranch(task)), keptRef(task, claim)]),
  );
  const inUse = await refsInUse(repository);
  return claims.flatMap(({ task, claim, fence, head, start }) => {
    const ends: RefMove[] = [{ ref: claimRef(task), from: fence, to: null }];
    const ref = branchRef(taskBranch(task));
    const work = refs.get(ref);
    if (work === undefined) return ends;
    // Whoever looks at it has it to the end.
    ends.push({ ref, from: work, to: inUse.has(ref) ? work : null });
    const kept = keptRef(task, claim);
    if (work !== head && work !== start)
      ends.push({ ref: kept, from: refs.get(kept) ?? null, to: work });
    return ends;
  });
}

const gone = ({ name }: Repository, goal: string): DroverError =>
  new DroverError(
    'conflict',
    `The branches of ${goal} in project ${name} cannot be moved.`,
    'See to it that only Drover moves what is below autonomous/, and try again.',
  );

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
