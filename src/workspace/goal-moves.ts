/**
 * Moves of a goal's branch that Drover did not make.
 *
 * Invariants kept here: 4 and 7 (what gets onto a goal's branch past its merges was not checked, and what leaves it was
 * merged). A person who commits in a checkout of the branch may do so: git's record of the branch says then what was done
 * there, and a task that did it has the same line in the record of its worktree. Whatever else moved it is taken back, in
 * one transaction that names where the branch is and where Drover had moved it last, and stays reachable (invariant 8).
 */
import { DroverError } from '../core/errors.js';
import { branchRef, type GoalBranch, goalTipRef, putBackRef, readOrRestore } from './branches.js';
import { tasksAdminDirs } from './in-use.js';
import { readReflog, type ReflogEntry } from './reflog.js';
import { moveRefs, readRef } from './refs.js';
import type { Repository } from './repository.js';

/** A branch that was moved back. */
export interface PutBack {
  readonly branch: string;
  /** Where it was found. */
  readonly found: string;
  /** Where it is again; null where there is none again. */
  readonly to: string | null;
  /** The reference that keeps what was found. */
  readonly kept: string;
}

const TRIES = 20;

/** Puts the goal's branch back where Drover moved it last. Undefined where it is there, or people moved it. */
export async function putGoalBack(
  repository: Repository,
  goal: string,
): Promise<PutBack | undefined> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const found = await readOrRestore(repository, goal);
    if (!found || found.noted === undefined || found.tip === found.noted) return undefined;
    const { branch, tip, noted } = found;
    const [ref, note] = [branchRef(branch), goalTipRef(goal)];
    if (await isMovedByPeople(repository, found)) {
      const moves = [
        { ref, from: tip, to: tip },
        { ref: note, from: noted, to: tip },
      ];
      if ((await moveRefs(repository, moves)) === 'moved') return undefined;
      continue;
    }
    const kept = putBackRef(branch, tip);
    const there = await readRef(repository, kept);
    const moves = [
      { ref, from: tip, to: noted },
      { ref: note, from: noted, to: noted },
      { ref: kept, from: there ?? null, to: tip },
    ];
    const moved = await moveRefs(repository, moves, `drover: put ${goal} back`);
    if (moved === 'moved') return { branch, found: tip, to: noted, kept };
  }
  throw new DroverError(
    'hindered',
    `The branch of ${goal} moved ${TRIES} times while it was looked at.`,
    'See to it that only Drover moves what is below autonomous/.',
  );
}

/** How git says in the record of a branch that somebody who had it checked out moved it. */
const IN_CHECKOUT = /^(?:commit|merge|pull|rebase|reset|revert|cherry-pick|am)\b/;

/** Whether each move since Drover's last one was made in a checkout that is no task's. */
export async function isMovedByPeople(
  repository: Repository,
  { branch, tip, noted }: GoalBranch,
): Promise<boolean> {
  const moves = await readReflog(repository.gitDir, branchRef(branch));
  const since = moves.slice(moves.findLastIndex(({ to }) => to === noted) + 1);
  return since.at(-1)?.to === tip && (await areMadeByPeople(repository, since));
}

/** Whether each of the moves of a branch was made in a checkout that is no task's. */
export async function areMadeByPeople(
  repository: Repository,
  moves: readonly ReflogEntry[],
): Promise<boolean> {
  const dirs = await tasksAdminDirs(repository);
  const tasks = (await Promise.all(dirs.map((dir) => readReflog(dir, 'HEAD')))).flat();
  const lines = new Set(tasks.map(({ line }) => line));
  // A rebase says one thing of the branch and another of the HEAD that it was made with.
  const rebased = new Set(
    tasks.flatMap(({ to, message }) => (/^rebase\b.*\(finish\)/.test(message) ? [to] : [])),
  );
  return moves.every(
    ({ line, message, to }) =>
      IN_CHECKOUT.test(message) &&
      !lines.has(line) &&
      !(message.startsWith('rebase') && rebased.has(to)),
  );
}

export const putBackText = ({ branch, found, to, kept }: PutBack): string => {
  const where = to === null ? 'removed again' : `moved back to ${to.slice(0, 12)}`;
  return `The branch ${branch} was moved to ${found.slice(0, 12)} by something other than Drover, and has been ${where}; ${kept} keeps what was there.`;
};
