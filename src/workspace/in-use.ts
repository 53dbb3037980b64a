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
export async function refsInUse({
  kind,
  gitDir,
}: Repository): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const look = async (adminDir: string, dir: string): Promise<void> => {
    const head = await textIn(adminDir, 'HEAD');
    const ref = head.startsWith('ref: ') ? head.slice('ref: '.length) : '';
    if (ref.startsWith(HEADS) && existsSync(dir)) found.set(ref, dir);
  };
  if (kind === 'checkout') await look(gitDir, dirname(gitDir));
  const worktrees = join(gitDir, 'worktrees');
  for (const name of await readdir(worktrees).catch(() => [])) {
    // Those of tasks go with their claims, whatever an agent checks out in them.
    if (name.startsWith('drover-')) continue;
    const adminDir = join(worktrees, name);
    await look(adminDir, dirname(await textIn(adminDir, 'gitdir')));
  }
  return found;
}

const textIn = async (dir: string, file: string): Promise<string> =>
  (await readFile(join(dir, file), 'utf8').catch(() => '')).trim();
