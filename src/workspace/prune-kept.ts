/**
 * Removes references to what claims left, where all of it has been merged since (invariant 8).
 *
 * The proof is one of the history, that the commit is in the goal's branch, or one of the files: merging it into the
 * task's merge, or into the branch, once more changes nothing. The branch is made sure of in the transaction that takes the reference away.
 */
import { branchRef, type GoalBranch, readGoalBranch } from './branches.js';
import { isWithin } from './commits.js';
import { mergeWork } from './merge.js';
import { mergesOf } from './merges.js';
import { moveRefs, refsBelow } from './refs.js';
import type { Repository } from './repository.js';

/** What a claim left and is merged. */
export interface MergedKept {
  readonly ref: string;
  readonly commit: string;
  /** The branch that has it. */
  readonly branch: GoalBranch;
}

export async function mergedKept(repository: Repository): Promise<MergedKept[]> {
  const kept = await refsBelow(repository, 'refs/drover/kept/');
  if (kept.size === 0) return [];
  const tasks = await mergesOfTasks(repository);
  const merged: MergedKept[] = [];
  for (const [ref, commit] of kept) {
    const task = tasks.get(/^refs\/drover\/kept\/(task-\d+)\.\d+$/.exec(ref)?.[1] ?? '');
    if (!task) continue;
    const { branch, merges } = task;
    for (const onto of [branch.tip, ...merges]) {
      if (!(await isMerged(repository, onto, commit))) continue;
      merged.push({ ref, commit, branch });
      break;
    }
  }
  return merged;
}

/** @returns the references that are gone */
export async function pruneKept(repository: Repository): Promise<string[]> {
  const removed: string[] = [];
  for (const { ref, commit, branch } of await mergedKept(repository)) {
    const { tip } = branch;
    const moves = [
      { ref, from: commit, to: null },
      { ref: branchRef(branch.branch), from: tip, to: tip },
    ];
    if ((await moveRefs(repository, moves, 'drover: prune')) === 'moved') removed.push(ref);
  }
  return removed;
}

/** Each task's merges and the branch that has them; what is not merged has none. */
async function mergesOfTasks(
  repository: Repository,
): Promise<Map<string, { readonly branch: GoalBranch; readonly merges: string[] }>> {
  const prefix = 'refs/drover/goals/';
  const tasks = new Map<string, { readonly branch: GoalBranch; readonly merges: string[] }>();
  for (const ref of (await refsBelow(repository, prefix)).keys()) {
    // One that somebody removed or replaced proves nothing, and is told of where its goal goes on.
    const branch = await readGoalBranch(repository, ref.slice(prefix.length)).catch(
      () => undefined,
    );
    if (!branch) continue;
    for (const { task, commit } of await mergesOf(repository, branch)) {
      const found = tasks.get(task);
      if (found) found.merges.push(commit);
      else tasks.set(task, { branch, merges: [commit] });
    }
  }
  return tasks;
}

async function isMerged(repository: Repository, onto: string, commit: string): Promise<boolean> {
  if (await isWithin(repository, commit, onto)) return true;
  const { output } = await repository.objects.ask(['merge-base', onto, commit]);
  const start = output.trim();
  if (!start) return false;
  const result = await mergeWork(repository, onto, { start, head: commit, isTrusted: true });
  return result.kind === 'merged' && result.isEmpty;
}
