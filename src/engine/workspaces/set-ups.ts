/**
 * Set-ups of a project, which may write settings and hooks into its repository: git-lfs, husky and pre-commit do. What
 * changed there while one ran counts as its own: nobody can tell what a task has written beside it.
 */
import {
  type ProgramChange,
  programChanges,
  type Programs,
  readPrograms,
} from '../../workspace/programs.js';
import type { Repository } from '../../workspace/repository.js';

interface SetUps {
  /** What was there when each began that runs now. */
  readonly running: Set<Programs>;
  /** What changed while each ran that has ended and in whose time something changed. */
  readonly ended: (readonly ProgramChange[])[];
}

/** By git directory; of this process, because agents elsewhere have worktrees of their own. */
const repositories = new Map<string, SetUps>();

function setUpsOf({ gitDir }: Repository): SetUps {
  const setUps = repositories.get(gitDir) ?? { running: new Set(), ended: [] };
  repositories.set(gitDir, setUps);
  return setUps;
}

export async function settingUp<T>(repository: Repository, work: () => Promise<T>): Promise<T> {
  const { running, ended } = setUpsOf(repository);
  const before = await readPrograms(repository);
  running.add(before);
  try {
    return await work();
  } finally {
    try {
      const changes = await programChanges(repository, before, await readPrograms(repository));
      if (changes.length > 0) ended.push(changes);
    } finally {
      // Whatever went wrong: one that ran for ever would excuse all that tasks write from then on.
      running.delete(before);
    }
  }
}

/** How many have ended so far in whose time something changed. */
export const changingSetUps = (repository: Repository): number => setUpsOf(repository).ended.length;

/** What changed while those ran that run now, or have ended since so many had. */
export async function changedBySetUps(
  repository: Repository,
  since: number,
): Promise<ProgramChange[]> {
  const now = await readPrograms(repository);
  const { running, ended } = setUpsOf(repository);
  const begun = [...running].map((before) => programChanges(repository, before, now));
  return [...ended.slice(since), ...(await Promise.all(begun))].flat();
}
