/**
 * What a claim changed outside its own branch, looked at when its work is taken.
 *
 * A task in a sandbox cannot; one without it runs as the user and can. Its work is refused then (invariant 7: what gets
 * onto a branch gets there by a merge that was checked), and whoever reads the log hears what to mend.
 */
import { ChangedOutside } from '../../agents/files.js';
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
import { endedProjectCommands, ranProjectCommands } from './project-commands.js';
import { type Trespass, undoTrespasses } from '../../workspace/trespass.js';
import type { Worktree } from '../../workspace/worktree-record.js';

/** What is outside a claim's branch, as it was when the claim's work began. */
export interface Outside {
  readonly programs: Programs;
  /** Set-ups and checks that had ended. */
  readonly projectCommands: number;
  readonly base: string | undefined;
  /** Branches that were found moved: a look that something hinders is repeated, and what it put back must count. */
  readonly branches: (PutBack | Trespass)[];
}

export async function lookOutside(repository: Repository, worktree: Worktree): Promise<Outside> {
  return {
    projectCommands: endedProjectCommands(repository.gitDir),
    programs: await readPrograms(repository, worktree),
    base: await baseOf(repository),
    branches: [],
  };
}

/** @throws ChangedOutside where something is otherwise than before, and not by Drover or a person */
export async function requireUntouched(
  repository: Repository,
  { goal, task, claim }: Claim,
  worktree: Worktree,
  before: Outside,
): Promise<void> {
  const now = await readPrograms(repository, worktree);
  // What the project's own commands may have written beside the task is nobody's fault.
  const isClear = !ranProjectCommands(repository.gitDir, before.projectCommands);
  const programs = isClear ? await programChanges(repository, before.programs, now) : [];
  const { branches } = before;
  // The branches of a URL are moved there, with what the user may do there: see docs/projects.md.
  if (repository.kind !== 'remote') {
    const back = await putGoalBack(repository, goal);
    if (back) branches.push(back);
    await undoTrespasses(repository, worktree, before.base, (found) => branches.push(found));
  }
  if (programs.length === 0 && branches.length === 0) return;
  const texts = [
    ...branches.map((branch) => ('kept' in branch ? putBackText(branch) : trespassText(branch))),
    ...programs.map((change) => programText(repository, change)),
  ];
  if (programs.length > 0)
    texts.push(`Then \`drover retry ${task}\`; also where a person has made these changes.`);
  throw new ChangedOutside(
    `While claim ${claim} of ${task} ran, more than its own branch was changed, so its work is not merged. ${texts.join(' ')}`,
    programs,
  );
}

const baseOf = async (repository: Repository): Promise<string | undefined> =>
  // One behind a URL is not asked for it: see above.
  repository.kind === 'remote' ? undefined : readRef(repository, branchRef(repository.base));

const trespassText = ({ branch, found, commit }: Trespass): string =>
  `The branch ${branch} (${found.slice(0, 12)}) has the task’s commit ${commit.slice(0, 12)}, which was not checked; take it out there, with \`git revert\` or \`git rebase --onto\`.`;

function programText({ gitDir }: Repository, { kind, name, value }: ProgramChange): string {
  if (kind === 'hook')
    return value === null
      ? `The hook ${name} in ${gitDir}/hooks is gone; put it back.`
      : `The hook ${name} in ${gitDir}/hooks was written; read it, and remove it.`;
  const config = `git config --file ${gitDir}/config`;
  return value === null
    ? `The setting ${name} in ${gitDir}/config is gone; put it back.`
    : `The setting ${name} in ${gitDir}/config is ${JSON.stringify(value)} now; mend it, with \`${config} --unset-all ${name}\`.`;
}
