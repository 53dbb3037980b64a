/**
 * What a claim changed outside its own branch, looked at when its work is taken or its attempt has failed.
 *
 * A task in a sandbox cannot; one without it runs as the user and can. Where it moved branches its work is refused
 * (invariant 7: what gets onto a branch gets there by a merge that was checked); of settings and hooks a person hears
 * (invariant 8).
 */
import { ChangedOutside } from '../../agents/files.js';
import type { AgentEvent } from '../../core/events.js';
import { type BaseLoss, undoBaseLoss } from '../../workspace/base-moves.js';
import { branchRef } from '../../workspace/branches.js';
import type { Claim } from '../../workspace/claims.js';
import { type PutBack, putBackText, putGoalBack } from '../../workspace/goal-moves.js';
import {
  type ProgramChange,
  programChanges,
  type Programs,
  readPrograms,
} from '../../workspace/programs.js';
import { readRef } from '../../workspace/refs.js';
import type { Repository } from '../../workspace/repository.js';
import { changedBySetUps, changingSetUps } from './set-ups.js';
import { type Trespass, undoTrespasses } from '../../workspace/trespass.js';
import type { Worktree } from '../../workspace/worktree-record.js';

/** What is outside a claim's branch, as it was when the claim's work began. */
export interface Outside {
  /** As they were found last. */
  programs: Programs;
  /** Set-ups that had ended and changed something. */
  readonly setUps: number;
  base: string | undefined;
  /** Branches that were found moved: a look that something hinders is repeated, and what it put back must count. */
  readonly branches: (PutBack | Trespass | BaseLoss)[];
}

export async function lookOutside(repository: Repository, worktree: Worktree): Promise<Outside> {
  return {
    setUps: changingSetUps(repository),
    programs: await readPrograms(repository, worktree),
    base: await baseOf(repository),
    branches: [],
  };
}

/** What a person has to see to: nobody can tell whether a task did it or a person beside it. */
export type UnclearChange = (AgentEvent & { type: 'outside.changed' })['changes'][number];

/**
 * Settings, hooks and a base branch that are otherwise than when they were looked at last; each is told once. It costs no
 * attempt, and a person sees to it before the goal lands.
 */
export async function unclearChanges(
  repository: Repository,
  worktree: Worktree,
  outside: Outside,
): Promise<UnclearChange[]> {
  const programs = await changedPrograms(repository, worktree, outside);
  if (repository.kind === 'remote') return programs;
  const loss = await undoBaseLoss(repository, outside.base);
  if (!loss) return programs;
  const { branch: name, was, found: value, isBack } = loss;
  if (isBack) {
    outside.branches.push(loss);
    return programs;
  }
  outside.base = value ?? undefined;
  return [...programs, { kind: 'branch', name, value, was }];
}

async function changedPrograms(
  repository: Repository,
  worktree: Worktree,
  outside: Outside,
): Promise<ProgramChange[]> {
  const before = outside.programs;
  const now = await readPrograms(repository, worktree);
  outside.programs = now;
  const changes = await programChanges(repository, before, now);
  if (changes.length === 0) return changes;
  const theirs = await changedBySetUps(repository, outside.setUps);
  return changes.filter(
    ({ kind, name }) => !theirs.some((other) => other.kind === kind && other.name === name),
  );
}

/** @throws ChangedOutside where a branch is elsewhere than before, and was not moved by Drover or a person */
export async function requireUntouched(
  repository: Repository,
  { goal, task, claim }: Claim,
  worktree: Worktree,
  { base, branches }: Outside,
): Promise<void> {
  // The branches of a URL are moved there, with what the user may do there: see docs/projects.md.
  if (repository.kind !== 'remote') {
    const back = await putGoalBack(repository, goal);
    if (back) branches.push(back);
    await undoTrespasses(repository, worktree, base, (found) => branches.push(found));
  }
  if (branches.length === 0) return;
  const texts = branches.map((branch) => {
    if ('kept' in branch) return putBackText(branch);
    return 'was' in branch ? lossText(branch) : trespassText(branch);
  });
  throw new ChangedOutside(
    `While claim ${claim} of ${task} ran, more than its own branch was changed, so its work is not merged. ${texts.join(' ')}`,
  );
}

const baseOf = async (repository: Repository): Promise<string | undefined> =>
  // One behind a URL is not asked for it: see above.
  repository.kind === 'remote' ? undefined : readRef(repository, branchRef(repository.base));

const lossText = ({ branch, was, found }: BaseLoss): string =>
  `The branch ${branch} was ${found === null ? 'removed' : `moved back to ${found.slice(0, 12)}`} by something other than Drover, and is at ${was.slice(0, 12)} again.`;

const trespassText = ({ branch, found, commit }: Trespass): string =>
  `The branch ${branch} (${found.slice(0, 12)}) has the task’s commit ${commit.slice(0, 12)}, which was not checked; take it out there, with \`git revert\` or \`git rebase --onto\`.`;
