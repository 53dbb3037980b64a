/** Pushes a commit to a branch elsewhere, for a pull request. */
import { DroverError, messageOf } from '../core/errors.js';
import { branchRef } from './branches.js';
import { networkGit, unreachable } from './remote.js';
import type { Repository } from './repository.js';

/**
 * Pushes to the repository's URL, or to where the remote `origin` of a repository on this machine pushes. Nothing of
 * anybody else's is overwritten.
 * @param ours what Drover itself pushed there before; where one of these is there, it is replaced
 * @throws DroverError `not-found` (no remote, not reachable), `conflict` (the branch there has other commits)
 */
export async function pushBranch(
  repository: Repository,
  commit: string,
  branch: string,
  ours: ReadonlySet<string> = new Set(),
): Promise<void> {
  const url = repository.url ?? (await originOf(repository));
  const { dir, environment } = repository;
  const git = networkGit(dir, environment);
  const ref = branchRef(branch);
  const push = async (...lease: string[]): Promise<'pushed' | Rejected> => {
    const args = ['push', '--porcelain', '--no-verify', '--no-signed', ...lease, '--'];
    try {
      await git.run([...args, url, `${commit}:${ref}`]);
      return 'pushed';
    } catch (error) {
      if (!/\[rejected\]/.test(messageOf(error))) throw unreachable(url, error);
      return { cause: error };
    }
  };
  let result = await push();
  if (result !== 'pushed' && ours.size > 0) {
    const there = (await git.run(['ls-remote', '--refs', '--', url, ref])).split('\t')[0]!;
    if (ours.has(there)) result = await push(`--force-with-lease=${ref}:${there}`);
  }
  if (result === 'pushed') return;
  throw new DroverError(
    'conflict',
    `The branch ${branch} there has commits that are not in what was to be pushed.`,
    'Remove or rename that branch, or set another one as `push`.',
    result,
  );
}

/** It has other commits there. */
interface Rejected {
  readonly cause: unknown;
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
