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

export type CarriedOver = EarlierWork & { readonly result: MergeResult };

/**
 * The latest work that was left, merged onto the commit that this claim starts from: its tree, as `files` of a new
 * worktree, or what keeps it from being merged, for the agent to read. Undefined where nothing was left.
 */
export async function carryOver(
  repository: Repository,
  { task, start }: Claim,
): Promise<CarriedOver | undefined> {
  const last = (await earlierWork(repository, task))[0];
  if (!last) return undefined;
  const { output } = await repository.objects.ask(['merge-base', start, last.commit]);
  const from = output.trim();
  const work = { start: from, head: last.commit };
  return {
    ...last,
    result: from ? await mergeWork(repository, start, work) : { kind: 'start-gone' },
  };
}
