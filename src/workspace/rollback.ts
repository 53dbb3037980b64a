/**
 * Moves a goal's branch back to a task's merge or a commit.
 *
 * Invariants kept here: 8 (the branch as it was stays reachable as `refs/drover/rolled-back/goal-7.N`, set in the
 * same transaction) and 5 (claims of the goal that began behind the new tip can finish no merge, because their
 * start is not on the branch any more). The base branch is never rewritten: of a goal that has landed, the
 * undone work stays in the base branch until the goal lands again, with a merge commit that takes it out.
 */
import { DroverError } from '../core/errors.js';
import { isTaskId } from '../core/ids.js';
import { branchRef, goalBranch, goalStartRef, readGoalBranch, rolledBackRef } from './branches.js';
import { isWithin } from './commits.js';
import { type Merge, mergesOf } from './merges.js';
import { moveRefs, refsBelow } from './refs.js';
import type { Repository } from './repository.js';

export interface RolledBack {
  /** The branch now. */
  readonly tip: string;
  /** The branch before, and the reference that keeps it; undefined where it never was elsewhere. */
  readonly kept?: { readonly commit: string; readonly ref: string };
  /** The merges that are undone, newest first. */
  readonly undone: readonly Merge[];
}

const TRIES = 20;

/**
 * @param to a task, whose merge then is the last, or a commit of the goal's branch since its start, whole or
 *   shortened
 * @throws DroverError `not-found` where the goal has no branch, or `to` is not on it
 */
export async function rollBack(
  repository: Repository,
  goal: string,
  to: string,
): Promise<RolledBack> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const found = await readGoalBranch(repository, goal);
    if (!found) throw notFound(`${goal} has no branch in project ${repository.name}`, goal);
    const merges = await mergesOf(repository, found);
    const target = isTaskId(to)
      ? merges.find(({ task }) => task === to)?.commit
      : await commitOnBranch(repository, found, to);
    if (target === undefined) throw notFound(`${to} is not on the branch of ${goal}`, goal);
    if (target === found.tip) return wentBack(repository, goal, target);
    const undone = await mergesOf(repository, { goal, start: target, tip: found.tip });
    const ref = rolledBackRef(goal, await nextNumber(repository, goal));
    const moves = [
      { ref: branchRef(found.branch), from: found.tip, to: target },
      { ref, from: null, to: found.tip },
    ];
    const moved = await moveRefs(repository, moves, `drover: roll ${goal} back`);
    if (moved === 'moved') return { tip: target, kept: { commit: found.tip, ref }, undone };
  }
  throw new DroverError(
    'conflict',
    `The branch of ${goal} moved ${TRIES} times while it was rolled back.`,
    'Pause the goal, and try again.',
  );
}

/** It stands there: what was undone is told again to whoever died before telling it. */
async function wentBack(repository: Repository, goal: string, tip: string): Promise<RolledBack> {
  const last = (await rolledBack(repository, goal)).toSorted((a, b) => b.number - a.number)[0];
  if (!last || !(await isWithin(repository, tip, last.commit))) return { tip, undone: [] };
  const { commit, number } = last;
  const undone = await mergesOf(repository, { goal, start: tip, tip: commit });
  return { tip, kept: { commit, ref: rolledBackRef(goal, number) }, undone };
}

/** Only the goal's own line counts: what a task committed was never the state of the goal. */
async function commitOnBranch(
  { objects }: Repository,
  { start, tip }: { start: string; tip: string },
  text: string,
): Promise<string | undefined> {
  if (!/^[0-9a-f]{4,64}$/.test(text)) return undefined;
  const line = ['rev-list', '--first-parent', tip, ...(start === tip ? [] : [`^${start}`]), '--'];
  const commits = [...(await objects.run(line)).split('\n').filter(Boolean), start];
  const matching = [...new Set(commits)].filter((commit) => commit.startsWith(text));
  return matching.length === 1 ? matching[0] : undefined;
}

async function nextNumber(repository: Repository, goal: string): Promise<number> {
  return Math.max(0, ...(await rolledBack(repository, goal)).map(({ number }) => number)) + 1;
}

/** What the goal's branch was before each of its rollbacks, the last one first. */
export async function rolledBackTips(repository: Repository, goal: string): Promise<string[]> {
  const all = await rolledBack(repository, goal);
  return all.toSorted((a, b) => b.number - a.number).map(({ commit }) => commit);
}

async function rolledBack(
  repository: Repository,
  goal: string,
): Promise<{ number: number; commit: string }[]> {
  const prefix = rolledBackRef(goal, 0).slice(0, -1);
  const refs = await refsBelow(repository, 'refs/drover/rolled-back/');
  return [...refs].flatMap(([ref, commit]) =>
    ref.startsWith(prefix) ? [{ number: Number(ref.slice(prefix.length)), commit }] : [],
  );
}

const notFound = (what: string, goal: string): DroverError =>
  new DroverError(
    'not-found',
    `${what}.`,
    `\`git log --first-parent ${goalBranch(goal)}\` shows its commits; it started at ${goalStartRef(goal)}.`,
  );
