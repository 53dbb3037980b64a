/**
 * Set-up and checks of a project, which may write settings and hooks into its repository: git-lfs, husky and pre-commit
 * do. Beside them nobody can tell what a task has written there.
 */

interface Counts {
  running: number;
  ended: number;
}

/** By git directory; of this process, because agents elsewhere have worktrees of their own. */
const repositories = new Map<string, Counts>();

function countsOf(gitDir: string): Counts {
  const counts = repositories.get(gitDir) ?? { running: 0, ended: 0 };
  repositories.set(gitDir, counts);
  return counts;
}

/** Runs commands that the project's settings name. */
export async function runningProjectCommands<T>(
  gitDir: string,
  work: () => Promise<T>,
): Promise<T> {
  const counts = countsOf(gitDir);
  counts.running += 1;
  try {
    return await work();
  } finally {
    counts.running -= 1;
    counts.ended += 1;
  }
}

/** How many have ended so far. */
export const endedProjectCommands = (gitDir: string): number => countsOf(gitDir).ended;

/** Whether some ran since so many had ended, or run now. */
export function ranProjectCommands(gitDir: string, since: number): boolean {
  const { running, ended } = countsOf(gitDir);
  return running > 0 || ended !== since;
}
