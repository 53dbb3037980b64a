/** What earlier claims of a task left behind, for the next one to go on with. */
import { keptPrefix } from './branches.js';
import type { Claim } from './claims.js';
import { type MergeResult, mergeWork } from './merge.js';
import { refsBelow } from './refs.js';
import type { Repository } from './repository.js';

export interface EarlierWork {
  readonly claim: number;
  readonly commit: string;
}

/** What claims of the task left that was not merged, the latest first. */
export async function earlierWork(repository: Repository, task: string): Promise<EarlierWork[]> {
  const prefix = keptPrefix(task);
  const refs = await refsBelow(repository, 'refs/drover/kept/');
  return [...refs]
    .filter(([ref]) => ref.startsWith(prefix))
    .map(([ref, commit]) => ({ claim: Number(ref.slice(prefix.length)), commit }))
    .toSorted((a, b) => b.claim - a.claim);
}

/**
 * Work of an earlier claim, put onto the commit that this claim starts from: its tree, as `files` of a new worktree, or
 * what keeps it from being merged, for the agent to read.
 * @param head its last commit
 */
export async function carryOver(
  repository: Repository,
  { start }: Claim,
  head: string,
): Promise<MergeResult> {
  const { output } = await repository.objects.ask(['merge-base', start, head]);
  const from = output.trim();
  return from ? mergeWork(repository, start, { start: from, head }) : { kind: 'start-gone' };
}
