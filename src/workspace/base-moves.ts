/**
 * Losses of the base branch while a task runs: it was moved to where it lacks what it had, or removed.
 *
 * Kept here: people may do that. What they did in a checkout of it is theirs. While it is checked out nothing else moves it
 * on purpose (git itself refuses to), so it is put back, which takes nothing away (invariant 8); where nobody has it
 * checked out, it cannot be told who did it, and a person has to see to it.
 */
import { branchRef, putBackRef } from './branches.js';
import { isWithin } from './commits.js';
import { areMadeByPeople } from './goal-moves.js';
import { refsInUse } from './in-use.js';
import { readReflog } from './reflog.js';
import { moveRefs, readRef } from './refs.js';
import type { Repository } from './repository.js';

export interface BaseLoss {
  readonly branch: string;
  /** Where it was. */
  readonly was: string;
  /** Where it was found; null where it was gone. */
  readonly found: string | null;
  /** Whether it is where it was again. */
  readonly isBack: boolean;
}

/** Looks after the base branch of a repository on this machine. @param was where it was, undefined where it was not there */
export async function undoBaseLoss(
  repository: Repository,
  was: string | undefined,
): Promise<BaseLoss | undefined> {
  const branch = repository.base;
  const ref = branchRef(branch);
  const found = (await readRef(repository, ref)) ?? null;
  if (was === undefined || found === was) return undefined;
  const moves = await readReflog(repository.gitDir, ref);
  const since = moves.slice(moves.findLastIndex(({ to }) => to === was) + 1);
  if (found !== null) {
    if (await isWithin(repository, was, found)) return undefined;
    if (since.at(-1)?.to === found && (await areMadeByPeople(repository, since))) return undefined;
  }
  const loss = { branch, was, found };
  // What it was moved to may have more than it lost: that is no mere step back.
  const isStepBack = found === null || (await isWithin(repository, found, was));
  // `git switch -C` moves a branch that is checked out, and says no more of it than `git branch -f`.
  const isUnclear = since.some(({ message }) => message.startsWith('branch: '));
  if (!isStepBack || isUnclear || !(await refsInUse(repository)).has(ref))
    return { ...loss, isBack: false };
  const kept =
    found === null ? [] : [{ ref: putBackRef(branch, found), from: undefined, to: found }];
  const moved = await moveRefs(
    repository,
    [{ ref, from: found, to: was }, ...kept],
    'drover: put back',
  );
  return { ...loss, isBack: moved === 'moved' };
}
