/**
 * Branches that a person has checked out, which therefore do not move.
 *
 * A checkout whose branch moves has the files and the index of the commit before, as if the difference had been taken
 * back and staged; the next commit there would do just that. Git itself refuses to move such a branch, and so does
 * Drover: bringing the files along would change somebody's working tree, and nobody has asked for that.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DroverError } from '../core/errors.js';
import type { Repository } from './repository.js';

const HEADS = 'refs/heads/';

/**
 * @param refs to be moved or removed
 * @throws DroverError `hindered` where somebody has one of them checked out
 */
export async function assertNotInUse(
  repository: Repository,
  refs: readonly string[],
): Promise<void> {
  if (refs.length === 0) return;
  const dirs = await refsInUse(repository);
  for (const ref of refs) {
    const dir = dirs.get(ref);
    if (dir === undefined) continue;
    throw new DroverError(
      'hindered',
      `The branch ${ref.slice(HEADS.length)} is checked out in ${dir}, so it is not moved.`,
      'Switch to another one there; `git switch --detach` keeps the files, to go on looking at them.',
    );
  }
}

/** The branches that people have checked out, and where. Read from git's own files, because every merge asks. */
export async function refsInUse(repository: Repository): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const adminDir of await peoplesAdminDirs(repository)) {
    const { gitDir } = repository;
    const dir = dirname(adminDir === gitDir ? gitDir : await textIn(adminDir, 'gitdir'));
    const head = await textIn(adminDir, 'HEAD');
    const ref = head.startsWith('ref: ') ? head.slice('ref: '.length) : '';
    if (ref.startsWith(HEADS) && existsSync(dir)) found.set(ref, dir);
  }
  return found;
}

/** Git's folders of the working trees that are not Drover's: those of tasks go with their claims. */
async function peoplesAdminDirs(repository: Repository): Promise<string[]> {
  const { kind, gitDir } = repository;
  const linked = await adminDirs(repository, (name) => !isTasks(name));
  return kind === 'checkout' ? [gitDir, ...linked] : linked;
}

/** Git's folders of the working trees that tasks have. */
export const tasksAdminDirs = (repository: Repository): Promise<string[]> =>
  adminDirs(repository, isTasks);

const isTasks = (name: string): boolean => name.startsWith('drover-');

async function adminDirs(
  { gitDir }: Repository,
  choose: (name: string) => boolean,
): Promise<string[]> {
  const worktrees = join(gitDir, 'worktrees');
  const names = await readdir(worktrees).catch(() => []);
  return names.filter(choose).map((name) => join(worktrees, name));
}

const textIn = async (dir: string, file: string): Promise<string> =>
  (await readFile(join(dir, file), 'utf8').catch(() => '')).trim();
