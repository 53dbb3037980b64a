/**
 * Lands a goal: its branch goes into the base branch, by fast-forward or a merge commit, made without a checkout.
 *
 * Invariants kept here: 4 (a goal lands once: what the base branch has already is not landed again), 7 (what is
 * landed is the commit that was prepared, and could be checked). `prepareLanding` changes nothing but adding
 * objects; `landGoal` moves the base branch from exactly the commit it was prepared on, together with the proof that
 * the goal's branch is still the one that was approved.
 */
import { DroverError } from '../core/errors.js';
import {
  branchRef,
  FOLLOW_PREFIX,
  followRef,
  type GoalBranch,
  goalBranch,
  startedGoalBranch,
} from './branches.js';
import { type Blocked, blockerOf, checkoutsOf, follow } from './checkouts.js';
import { commitTree, isWithin, treeOf } from './commits.js';
import type { Author } from './git.js';
import { isOwnPath, type MergeResult, mergeWork } from './merge.js';
import { moveRefs, readRef, refsBelow } from './refs.js';
import type { RefMove } from './ref-move.js';
import { rolledBackTips } from './rollback.js';
import type { Repository } from './repository.js';
import { emptyTree, putFiles, type TreeFile } from './trees.js';

export interface LandingRequest {
  readonly goal: string;
  readonly merge: 'merge-commit' | 'fast-forward';
  /** The merge commit's subject. */
  readonly subject: string;
  /** Files to put into the tree besides, such as STATE.yaml; not for a fast-forward. */
  readonly files?: readonly TreeFile[];
  readonly author?: Author | undefined;
}

/** A landing that can be made. Plain data. */
export interface PreparedLanding {
  readonly goal: string;
  /** The base branch as it is now; null where it has no commit. */
  readonly from: string | null;
  /** The goal's branch as it is now. */
  readonly tip: string;
  /** What the base branch is to become. */
  readonly to: string;
}

export type Prepared =
  | { readonly kind: 'ready'; readonly landing: PreparedLanding }
  /** The base branch has everything already. */
  | { readonly kind: 'landed'; readonly commit: string }
  /** Only a fast-forward is wanted, and the base branch has moved: bring the goal up to date first. */
  | { readonly kind: 'not-fast-forward' }
  | Exclude<MergeResult, { kind: 'merged' } | { kind: 'start-gone' }>;

/** @throws DroverError `not-found` where the goal has no branch */
export async function prepareLanding(
  repository: Repository,
  { goal, merge, subject, files = [], author }: LandingRequest,
): Promise<Prepared> {
  const branch = await startedGoalBranch(repository, goal);
  const { tip } = branch;
  const from = (await readRef(repository, branchRef(repository.base))) ?? null;
  const ready = (to: string): Prepared => ({ kind: 'ready', landing: { goal, from, tip, to } });
  if (from === null) return ready(tip);
  const undone = await undoneIn(repository, branch, from);
  const start = undone ?? (await forkPoint(repository, from, tip));
  if (start === undefined) throw unrelated(repository, goal);
  if (undone === undefined && (await isWithin(repository, tip, from)))
    return { kind: 'landed', commit: from };
  const isBehind = await isWithin(repository, from, tip);
  if (merge === 'fast-forward') return isBehind ? ready(tip) : { kind: 'not-fast-forward' };
  const result: MergeResult = isBehind
    ? { kind: 'merged', tree: await treeOf(repository, tip), isEmpty: false }
    : await mergeWork(repository, from, {
        start,
        head: tip,
        // Each task's work was looked at when it was merged; the rest is the base branch's own.
        isTrusted: true,
      });
  if (result.kind === 'start-gone') throw new Error('trusted work has no start to lose');
  if (result.kind !== 'merged') return result;
  if (result.isEmpty && undone !== undefined) return { kind: 'landed', commit: from };
  const tree = files.length > 0 ? await putFiles(repository, result.tree, files) : result.tree;
  const message = `${subject.replaceAll(/\s+/g, ' ').trim()}\n\nDrover-Goal: ${goal}\n`;
  return ready(await commitTree(repository, { tree, parents: [from, tip], message, author }));
}

export type Landed =
  | { readonly kind: 'landed' }
  /** The base branch has moved, but files of checkouts stayed behind; `followLanded` goes on when that is seen to. */
  | { readonly kind: 'stayed'; readonly stayed: readonly Blocked[] }
  /** The base branch or the goal's has moved: prepare again. */
  | { readonly kind: 'lost-race' }
  /** The base branch is checked out somewhere and has changes there; nothing was moved. */
  | { readonly kind: 'dirty'; readonly blocked: readonly Blocked[] };

/**
 * Moves the base branch, and the files of clean checkouts of it with it. A crash in between leaves a note of where the
 * files are, by which `followLanded` goes on.
 */
export async function landGoal(
  repository: Repository,
  { goal, from, tip, to }: PreparedLanding,
): Promise<Landed> {
  const base = branchRef(repository.base);
  const step = { from, to, isOwn: isOwnPath };
  const dirs = await checkoutsOf(repository, repository.base);
  if ((await readRef(repository, base)) !== to) {
    // What has not followed an earlier landing would look like somebody's changes.
    const stayed = dirs.length > 0 ? await followEarlier(repository) : [];
    if (stayed.length > 0) return { kind: 'dirty', blocked: stayed };
    const blockers = await Promise.all(dirs.map((dir) => blockerOf(repository, dir, step)));
    const blocked = blockers.filter((blocker) => blocker !== undefined);
    if (blocked.length > 0) return { kind: 'dirty', blocked };
    const note = followRef(goal);
    const moves: RefMove[] = [
      { ref: base, from, to },
      { ref: branchRef(goalBranch(goal)), from: tip, to: tip },
    ];
    if (dirs.length > 0) {
      const left = (await readRef(repository, note)) ?? null;
      moves.unshift({ ref: note, from: left, to: from ?? (await emptyTree(repository)) });
    }
    if ((await moveRefs(repository, moves, `drover: land ${goal}`)) === 'lost-race')
      return { kind: 'lost-race' };
  }
  const stayed = await followLanded(repository, goal);
  return stayed.length > 0 ? { kind: 'stayed', stayed } : { kind: 'landed' };
}

async function followEarlier(repository: Repository): Promise<Blocked[]> {
  const stayed: Blocked[] = [];
  for (const note of (await refsBelow(repository, FOLLOW_PREFIX)).keys())
    stayed.push(...(await followLanded(repository, note.slice(FOLLOW_PREFIX.length))));
  return stayed;
}

/**
 * Brings the files of checkouts along with a base branch that has moved; nothing where they are there.
 * @returns checkouts whose files stay behind, which the note remembers
 * @throws DroverError `hindered` where another git command holds the index of one
 */
export async function followLanded(repository: Repository, goal: string): Promise<Blocked[]> {
  const note = followRef(goal);
  const from = await readRef(repository, note);
  const to = await readRef(repository, branchRef(repository.base));
  if (from === undefined || to === undefined) return [];
  const stayed: Blocked[] = [];
  for (const dir of await checkoutsOf(repository, repository.base)) {
    const followed = await follow(repository, dir, { from, to, isOwn: isOwnPath });
    if (followed.kind === 'stayed')
      stayed.push({ ...followed.blocked, remedy: followByHand(goal, from) });
  }
  if (stayed.length === 0) await moveRefs(repository, [{ ref: note, from, to: null }]);
  return stayed;
}

/** Git shows such a checkout as if somebody had taken the landing back, so what is usual with changes would do that. */
const followByHand = (goal: string, from: string): string =>
  `Its files are not where ${goal} landed yet, so commit and stash nothing there: that would take the landing back. ` +
  `Save what is yours (\`git diff ${from.slice(0, 12)}\` and \`git status\` show it) elsewhere, then run \`git reset --hard\` there.`;

export type Updated =
  | { readonly kind: 'up-to-date' }
  | { readonly kind: 'moved'; readonly commit: string }
  | { readonly kind: 'lost-race' }
  | Exclude<MergeResult, { kind: 'merged' } | { kind: 'start-gone' }>;

/** Merges what was committed to the base branch since into the goal's branch. */
export async function bringUpToDate(
  repository: Repository,
  goal: string,
  author?: Author,
): Promise<Updated> {
  const branch = await startedGoalBranch(repository, goal);
  const { tip } = branch;
  const base = await readRef(repository, branchRef(repository.base));
  if (base === undefined || (await isWithin(repository, base, tip))) return { kind: 'up-to-date' };
  const undone = await undoneIn(repository, branch, base);
  const start = undone ?? (await forkPoint(repository, tip, base));
  if (start === undefined) throw unrelated(repository, goal);
  const result = await mergeWork(repository, tip, { start, head: base, isTrusted: true });
  if (result.kind === 'start-gone') throw new Error('trusted work has no start to lose');
  if (result.kind !== 'merged') return result;
  const message = `Bring ${goal} up to date with ${repository.base}\n\nDrover-Goal: ${goal}\n`;
  const content = { tree: result.tree, parents: [tip, base], message, author };
  const commit = await commitTree(repository, content);
  const move = { ref: branchRef(goalBranch(goal)), from: tip, to: commit };
  const moved = await moveRefs(repository, [move], `drover: update ${goal}`);
  return moved === 'moved' ? { kind: 'moved', commit } : { kind: 'lost-race' };
}

/**
 * What the goal's branch was when it landed last, where it was rolled back behind that since. The base branch is
 * not rewritten: landing again takes the difference between then and now, which takes the undone work back out.
 */
async function undoneIn(
  repository: Repository,
  { goal, start, tip }: GoalBranch,
  from: string,
): Promise<string | undefined> {
  const kept = await rolledBackTips(repository, goal);
  if (kept.length === 0) return undefined;
  const last = await lastLanded(repository, goal, start, from);
  if (last !== undefined) return (await isWithin(repository, last, tip)) ? undefined : last;
  // It landed by a fast-forward, or somebody else merged it.
  for (const former of kept) {
    const isUndone = !(await isWithin(repository, former, tip));
    if (isUndone && (await isWithin(repository, former, from))) return former;
  }
  return undefined;
}

/** The goal's tip that the last of its landing commits on the base branch brought in. */
async function lastLanded(
  { objects }: Repository,
  goal: string,
  start: string,
  from: string,
): Promise<string | undefined> {
  const trailer = (key: string): string => `%(trailers:key=${key},valueonly,separator=%x2C)`;
  const format = `--format=%P%x00${trailer('Drover-Goal')}%x00${trailer('Drover-Task')}`;
  const log = await objects.run(['log', '-z', '--first-parent', format, from, `^${start}`, '--']);
  const fields = log.split('\0');
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const [parents, of, task] = fields.slice(at, at + 3);
    if (of === goal && task === '') return parents!.split(' ')[1];
  }
  return undefined;
}

/** The last commit that both have, undefined where they share no history. */
async function forkPoint(
  { objects }: Repository,
  one: string,
  other: string,
): Promise<string | undefined> {
  const { output } = await objects.ask(['merge-base', one, other]);
  return output.trim() || undefined;
}

const unrelated = ({ base, name }: Repository, goal: string): DroverError =>
  new DroverError(
    'conflict',
    `The branch ${base} of project ${name} and ${goal} have no commit in common any more.`,
    `Somebody replaced the history of ${base}: merge ${goalBranch(goal)} by hand, or start the goal anew.`,
  );
