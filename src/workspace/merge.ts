/**
 * Merges a task's work into a goal's branch, as trees: no checkout, no reference, no configuration takes part.
 *
 * What the work is compared with is always the commit that its claim started from, whatever history the agent
 * made in between. So merging the goal's branch by hand and throwing its lines away, or starting from an old
 * commit, is work that takes lines away, and shows as a conflict instead of being history that says so.
 */
import { type Change, changesBetween } from './changes.js';
import { commitTree, isWithin, treeOf } from './commits.js';
import { type Conflict, conflictsIn, parseMergeTree } from './conflicts.js';
import { filteredRefusals } from './filtered.js';
import { type Refusal, refusalsOf } from './guard.js';
import { type Loss, lossesOf } from './loss.js';
import type { Repository } from './repository.js';
import { putFiles, type TreeFile } from './trees.js';

/** A task's work. */
export interface Work {
  /** The commit that it started from. */
  readonly start: string;
  /** The commit that it ended with. */
  readonly head: string;
  /** Whether it was looked at before, or a person made it; and `start` need not be in the history of both. */
  readonly isTrusted?: boolean;
}

export type MergeResult =
  /** `isEmpty`: the work changes nothing that is not Drover's own. */
  | { readonly kind: 'merged'; readonly tree: string; readonly isEmpty: boolean }
  | { readonly kind: 'conflict'; readonly conflicts: readonly Conflict[] }
  /** The result would lack lines that the task never touched. */
  | { readonly kind: 'lost-lines'; readonly losses: readonly Loss[] }
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[] }
  /** The goal's branch was moved back behind the work's start, so the work rests on what was rolled back. */
  | { readonly kind: 'start-gone' };

/** Whether a path is written by Drover alone; what a task does to it is left out of every merge. */
export const isOwnPath = (path: string): boolean =>
  path === 'STATE.yaml' || /^tasks\/task-[1-9]\d*\.md$/.test(path);

/** @param onto the commit to merge into: the goal's tip, or in a train the commit before */
export async function mergeWork(
  repository: Repository,
  onto: string,
  { start, head, isTrusted = false }: Work,
): Promise<MergeResult> {
  const { objects } = repository;
  const [isHere, all, tree] = await Promise.all([
    isWithin(repository, start, onto),
    changesBetween(repository, start, head),
    treeOf(repository, onto),
  ]);
  if (!isHere && !isTrusted) return { kind: 'start-gone' };
  const changes = all.filter(({ path }) => !isOwnPath(path));
  const refusals = isTrusted
    ? []
    : [
        ...(await refusalsOf(repository, changes)),
        ...(await filteredRefusals(repository, head, changes)),
      ];
  if (refusals.length > 0) return { kind: 'refused', refusals };
  if (changes.length === 0) return { kind: 'merged', tree, isEmpty: true };

  const work = await withoutOwn(repository, head, all);
  // Nothing came in between, so the work is the result, and loses what the task itself took away.
  if ((await treeOf(repository, start)) === tree)
    return { kind: 'merged', tree: work, isEmpty: work === tree };
  const answer = await objects.ask([
    'merge-tree',
    '--write-tree',
    '-z',
    '--messages',
    isHere ? onto : await commitTree(repository, { tree, parents: [start], message: 'goal' }),
    await commitTree(repository, { tree: work, parents: [start], message: 'work' }),
  ]);
  const parsed = parseMergeTree(answer.output);
  if (answer.status !== 0) {
    return { kind: 'conflict', conflicts: await conflictsIn(repository, parsed) };
  }
  const losses = await lossesOf(repository, { start, work, onto, merged: parsed.tree, changes });
  if (losses.length > 0) return { kind: 'lost-lines', losses };
  return { kind: 'merged', tree: parsed.tree, isEmpty: parsed.tree === tree };
}

/** The work's tree with Drover's own files as they were at its start. */
async function withoutOwn(
  repository: Repository,
  head: string,
  changes: readonly Change[],
): Promise<string> {
  const own: TreeFile[] = changes
    .filter(({ path }) => isOwnPath(path))
    .map(({ path, oldMode, oldObject }) => ({ path, mode: oldMode, object: oldObject }));
  if (own.length === 0) return treeOf(repository, head);
  return putFiles(repository, head, own);
}
