/** The names of Drover's branches and notes in a repository, and how a goal's branch begins. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DroverError } from '../core/errors.js';
import { isGoalId, isTaskId } from '../core/ids.js';
import { commitTree, isWithin } from './commits.js';
import type { Author } from './git.js';
import { moveRefs, noteOfMove, readRef, readRefs } from './refs.js';
import type { Repository } from './repository.js';
import { emptyTree } from './trees.js';

export const goalBranch = (goal: string): string => `autonomous/${checkedGoal(goal)}`;
export const taskBranch = (task: string): string => `autonomous/${checkedTask(task)}`;
export const branchRef = (branch: string): string => `refs/heads/${branch}`;
/** The commit of the base branch that a goal started from. */
export const goalStartRef = (goal: string): string => `refs/drover/goals/${checkedGoal(goal)}`;
/** Where Drover itself moved the goal's branch last. */
export const goalTipRef = (goal: string): string => noteOfMove(branchRef(goalBranch(goal)));
/** What the files of checkouts are at, which have to follow the landing of a goal. */
export const FOLLOW_PREFIX = 'refs/drover/follow/';
export const followRef = (goal: string): string => `${FOLLOW_PREFIX}${checkedGoal(goal)}`;
/** Which claim may write a task's branch and merge it. */
export const claimRef = (task: string): string => `refs/drover/claims/${checkedTask(task)}`;
/** Unmerged work of a claim that is over. */
export const keptRef = (task: string, claim: number): string => `${keptPrefix(task)}${claim}`;
export const keptPrefix = (task: string): string => `refs/drover/kept/${checkedTask(task)}.`;

export interface GoalBranch {
  readonly goal: string;
  readonly branch: string;
  /** Where it started. */
  readonly start: string;
  /** Where it is now. */
  readonly tip: string;
  /** Where Drover moved it last. */
  readonly noted?: string | undefined;
}

/**
 * The goal's branch; it starts from the base branch where it does not exist yet. Whoever is first creates it,
 * and everybody else gets the same one. Where the base branch has no commit, it starts from an empty one.
 * @throws DroverError `hindered` where a branch of that name is there that Drover did not start
 */
export async function openGoalBranch(
  repository: Repository,
  goal: string,
  author?: Author,
): Promise<GoalBranch> {
  const base = branchRef(repository.base);
  const found = await readOrRestore(repository, goal);
  if (found) return found;
  const start = (await readRef(repository, base)) ?? (await emptyCommit(repository, author));
  const moved = await moveRefs(
    repository,
    [
      { ref: goalStartRef(goal), from: null, to: start },
      { ref: branchRef(goalBranch(goal)), from: null, to: start },
    ],
    `drover: start ${goal}`,
  );
  if (moved === 'moved') return { goal, branch: goalBranch(goal), start, tip: start };
  const opened = await readGoalBranch(repository, goal);
  if (opened) return opened;
  throw new DroverError(
    'conflict',
    `The branch ${goalBranch(goal)} of project ${repository.name} could not be started.`,
    `Somebody removes it or ${goalStartRef(goal)} at the same time: see to it that only Drover moves them.`,
  );
}

/** As `readGoalBranch`; one that somebody removed is there again, where Drover had moved it last. */
export async function readOrRestore(
  repository: Repository,
  goal: string,
): Promise<GoalBranch | undefined> {
  try {
    return await readGoalBranch(repository, goal);
  } catch (error) {
    const refs = await readRefs(repository, refsOf(goal));
    const [start, noted] = [refs.get(goalStartRef(goal)), refs.get(goalTipRef(goal))];
    const ref = branchRef(goalBranch(goal));
    if (start === undefined || noted === undefined || refs.has(ref)) throw error;
    if (!(await isWithin(repository, start, noted))) throw error;
    const moves = [
      { ref, from: null, to: noted },
      { ref: goalTipRef(goal), from: noted, to: noted },
    ];
    await moveRefs(repository, moves, `drover: put ${goal} back`);
    return readGoalBranch(repository, goal);
  }
}

/** Undefined where the goal has not started there. @throws DroverError `hindered`, see `openGoalBranch` */
export async function readGoalBranch(
  repository: Repository,
  goal: string,
): Promise<GoalBranch | undefined> {
  for (let tries = 0; ; tries += 1) {
    const refs = await readRefs(repository, refsOf(goal));
    // Git moves the references of a transaction one after the other: for a moment only one of them is there.
    const isHalf = refs.has(goalStartRef(goal)) !== refs.has(branchRef(goalBranch(goal)));
    if (!isHalf || tries >= TRIES) return goalBranchIn(repository, goal, refs);
    await sleep(PAUSE);
  }
}

/** @throws DroverError `not-found` where the goal has no branch, `hindered` as `readGoalBranch` */
export async function startedGoalBranch(repository: Repository, goal: string): Promise<GoalBranch> {
  const found = await readGoalBranch(repository, goal);
  if (found) return found;
  throw new DroverError(
    'not-found',
    `The branch ${goalBranch(goal)} is not in the repository of project ${repository.name}, and neither is what Drover notes about it.`,
    'Where its tasks worked in another repository, register that one again; else let `drover rerun TASK` make their work again.',
  );
}

export const noGoalBranch = (project: string, goal: string): DroverError =>
  new DroverError(
    'not-found',
    `${goal} has no branch in project ${project}.`,
    'A goal gets one with its first task that works on files.',
  );

/** Times that half of a goal's branch is looked at again, and milliseconds in between: two seconds in all. */
const TRIES = 40;
const PAUSE = 50;

const refsOf = (goal: string): string[] => [
  goalStartRef(goal),
  branchRef(goalBranch(goal)),
  goalTipRef(goal),
];

function goalBranchIn(
  repository: Repository,
  goal: string,
  refs: ReadonlyMap<string, string>,
): GoalBranch | undefined {
  const branch = goalBranch(goal);
  const start = refs.get(goalStartRef(goal));
  const tip = refs.get(branchRef(branch));
  const noted = refs.get(goalTipRef(goal));
  if (start !== undefined && tip !== undefined) return { goal, branch, start, tip, noted };
  if (tip === undefined && start === undefined) return undefined;
  throw tip === undefined
    ? new DroverError(
        'hindered',
        `The branch ${branch} of project ${repository.name} is gone, but ${goal} has started.`,
        `Put it back with \`git branch ${branch} ${noted === undefined ? 'COMMIT' : goalTipRef(goal)}\`, or let the goal start anew with \`git update-ref -d ${goalStartRef(goal)}\`.`,
      )
    : new DroverError(
        'hindered',
        `Project ${repository.name} has a branch ${branch} already that Drover did not start.`,
        `Rename it with \`git branch -m ${branch} OTHER\`.`,
      );
}

async function emptyCommit(repository: Repository, author?: Author): Promise<string> {
  const tree = await emptyTree(repository);
  const message = `Begin project ${repository.name}`;
  return commitTree(repository, { tree, parents: [], message, author });
}

/** Goals and tasks become parts of references and paths, so nothing else may pass for one. */
function checkedGoal(goal: string): string {
  if (isGoalId(goal)) return goal;
  throw new DroverError('bad-input', `${JSON.stringify(goal)} is no goal.`, 'Goals are goal-1, …');
}

function checkedTask(task: string): string {
  if (isTaskId(task)) return task;
  throw new DroverError('bad-input', `${JSON.stringify(task)} is no task.`, 'Tasks are task-1, …');
}

/** What somebody else had moved a branch to that Drover moved back. */
export const putBackRef = (branch: string, commit: string): string =>
  `refs/drover/put-back/${branch.replace(/^autonomous\//, '')}.${commit.slice(0, 12)}`;
/** A goal's branch as it was before its rollback of that number. */
export const rolledBackRef = (goal: string, number: number): string =>
  `refs/drover/rolled-back/${checkedGoal(goal)}.${number}`;
