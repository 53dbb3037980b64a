/**
 * Branches that a task moved to commits of its own, past its merge: the base branch, and those of other tasks and goals.
 *
 * Kept here: people go on as they like meanwhile. A branch counts as the task's doing only where it names, or the base
 * branch has come to contain, a commit that was made in the task's worktree; it is moved back only where nothing but
 * such commits goes, and they stay reachable (invariant 8).
 */
import { branchRef, goalStartRef, putBackRef, taskBranch } from './branches.js';
import { isWithin } from './commits.js';
import { type PutBack, putGoalBack } from './goal-moves.js';
import { readReflog } from './reflog.js';
import { moveRefs, readRef, refsBelow } from './refs.js';
import type { Repository } from './repository.js';
import type { Worktree } from './worktree-record.js';

/** A branch that has a task's commits, and cannot be moved back without taking others with it. */
export interface Trespass {
  readonly branch: string;
  /** Where it is. */
  readonly found: string;
  /** The task's commit that it has. */
  readonly commit: string;
}

/** How git says in the record of HEAD that it made a commit, in place of going to one that was there. */
const MADE =
  /^(?:commit(?: \([a-z]+\))?|cherry-pick|revert|am|rebase(?: -i)? \((?:pick|reword|edit|squash|fixup|continue)\)|merge .*: Merge made by.*):? /;

/**
 * Looks after the branches of a repository on this machine.
 * @param baseBefore where the base branch was when the task began
 * @param tell is called with each branch as soon as it is decided
 */
export async function undoTrespasses(
  repository: Repository,
  { adminDir, record: { task } }: Worktree,
  baseBefore: string | undefined,
  tell: (found: PutBack | Trespass) => void,
): Promise<void> {
  const record = await readReflog(adminDir, 'HEAD');
  const made = new Set(
    record
      .filter(({ message }) => MADE.test(message) && !message.endsWith(': fast-forward'))
      .map(({ to }) => to),
  );
  if (made.size === 0) return;
  const own = branchRef(taskBranch(task));
  for (const [ref, commit] of await refsBelow(repository, 'refs/heads/autonomous/')) {
    if (ref === own || !made.has(commit)) continue;
    const found = await undo(repository, ref, commit, made);
    if (found) tell(found);
  }
  const base = branchRef(repository.base);
  const tip = await readRef(repository, base);
  if (tip === undefined || tip === baseBefore) return;
  if (made.has(tip)) {
    const found = await undo(repository, base, tip, made, baseBefore ?? null);
    if (found) tell(found);
    return;
  }
  for (const commit of made) {
    if (await isWithin(repository, commit, tip))
      return tell({ branch: repository.base, found: tip, commit });
  }
}

async function undo(
  repository: Repository,
  ref: string,
  found: string,
  made: ReadonlySet<string>,
  before?: string | null,
): Promise<PutBack | Trespass | undefined> {
  const branch = ref.slice('refs/heads/'.length);
  const goal = /^autonomous\/(goal-[1-9]\d*)$/.exec(branch)?.[1];
  // One that no goal has started is a branch like others.
  if (goal !== undefined && (await readRef(repository, goalStartRef(goal))) !== undefined)
    return putGoalBack(repository, goal);
  // The task may have moved it several times.
  const moves = await readReflog(repository.gitDir, ref);
  const first = moves.findLastIndex(({ to }) => !made.has(to)) + 1;
  const to = moves.at(-1)?.to === found ? moves[first]!.from : before;
  if (to === undefined) return { branch, found, commit: found };
  const kept = putBackRef(branch, found);
  const there = await readRef(repository, kept);
  const moved = await moveRefs(
    repository,
    [
      { ref, from: found, to },
      { ref: kept, from: there ?? null, to: found },
    ],
    'drover: put back',
  );
  // Whoever has moved it on meanwhile goes on from there.
  return moved === 'moved' ? { branch, found, to, kept } : { branch, found, commit: found };
}
