/** Pushes a commit to a branch elsewhere, for a pull request. */
import { DroverError, messageOf } from '../core/errors.js';
import { branchRef } from './branches.js';
import { networkGit, unreachable } from './remote.js';
import type { Repository } from './repository.js';

/**
 * Pushes to the repository's URL, or to where the remote `origin` of a repository on this machine pushes. Nothing
 * there is overwritten.
 * @throws DroverError `not-found` (no remote, not reachable), `conflict` (the branch there has other commits)
 */
export async function pushBranch(
  repository: Repository,
  commit: string,
  branch: string,
): Promise<void> {
  const url = repository.url ?? (await originOf(repository));
  const { dir, environment } = repository;
  const git = networkGit(dir, environment);
  try {
    const args = ['push', '--porcelain', '--no-verify', '--no-signed', '--'];
    await git.run([...args, url, `${commit}:${branchRef(branch)}`]);
  } catch (error) {
    if (!/\[rejected\]/.test(messageOf(error))) throw unreachable(url, error);
    throw new DroverError(
      'conflict',
      `The branch ${branch} there has commits that are not in what was to be pushed.`,
      'Remove or rename that branch, or set another one as `push`.',
      { cause: error },
    );
  }
}

async function originOf({ git, dir }: Repository): Promise<string> {
  const asked = await git.run(['remote', 'get-url', '--push', 'origin']).catch(() => '');
  if (asked.trim()) return asked.trim();
  throw new DroverError(
    'not-found',
    `The repository in ${dir} has no remote named origin to push to.`,
    'Add one with `git remote add origin URL`, or leave `push` out of the settings.',
  );
}
