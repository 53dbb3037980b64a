/**
 * Puts a worktree aside that nobody may work in any more, with all that is in it (invariant 8).
 *
 * Its folder and its record are renamed, its part of the repository stays: so what was in it can be looked at
 * and saved, and the name is free again.
 */
import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Repository } from './repository.js';
import { placeOf, recordFile, type Worktree } from './worktree-record.js';

/** The folder's name with the number of its quarantine: `task-123.2.quarantined-1`. */
export const QUARANTINED = /\.quarantined-[1-9]\d*$/;

/** @param why for `git worktree list`; @returns the new folder */
export async function moveAside(
  repository: Repository,
  { dir, adminDir }: Pick<Worktree, 'dir' | 'adminDir'>,
  why: string,
): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = `${basename(dir)}.quarantined-${number}`;
    const aside = join(dirname(dir), name);
    const there = placeOf(repository, name);
    if ([aside, recordFile(aside), there.adminDir].some((path) => existsSync(path))) continue;
    // The record first: a folder whose record is missing says nothing about itself.
    await renameIfThere(recordFile(dir), recordFile(aside));
    if (existsSync(adminDir)) {
      await writeFile(join(adminDir, 'locked'), `Drover keeps this: ${why}\n`);
      await rename(adminDir, there.adminDir);
      await writeFile(join(there.adminDir, 'gitdir'), `${join(aside, '.git')}\n`);
    }
    await renameIfThere(dir, aside);
    if (existsSync(aside) && (await isPointer(join(aside, '.git'))))
      await writeFile(join(aside, '.git'), `gitdir: ${there.adminDir}\n`);
    return aside;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  });
}

const isPointer = async (file: string): Promise<boolean> =>
  (await readFile(file, 'utf8').catch(() => '')).startsWith('gitdir: ');
