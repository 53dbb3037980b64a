/**
 * Removes worktrees and references that are proven safe to remove, and what dead worktrees left in the repository
 * (invariant 8).
 */
import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pruneKept } from './prune-kept.js';
import { moveAside } from './quarantine.js';
import { inspectWorktrees, type InspectOptions, type WorktreeReport } from './inspect.js';
import type { Repository } from './repository.js';
import { placeOf, recordFile, type Worktree } from './worktree-record.js';

export interface Pruned {
  readonly removed: readonly WorktreeReport[];
  readonly kept: readonly WorktreeReport[];
  /** Parts in the repository's git folder whose worktree was gone. */
  readonly zombies: readonly string[];
  /** References to what claims left, all of which is merged. */
  readonly references: readonly string[];
}

/** Milliseconds after which something that was being made counts as left behind. */
const STALE = 3_600_000;

/** Removes the folder, its part of the repository and its record, in that order, so it may be repeated. */
export async function removeWorktree({
  dir,
  adminDir,
}: Pick<Worktree, 'dir' | 'adminDir'>): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await rm(adminDir, { recursive: true, force: true });
  await rm(recordFile(dir), { force: true });
}

export async function pruneWorktrees(
  repository: Repository,
  options: InspectOptions = {},
): Promise<Pruned> {
  const reports = await inspectWorktrees(repository, options);
  const removed = reports.filter(({ isSafe }) => isSafe);
  for (const report of removed) await removeWorktree(report);
  const kept = reports.filter(({ isSafe }) => !isSafe);
  const zombies = await removeZombies(repository);
  return { removed, kept, zombies, references: await pruneKept(repository) };
}

/** Puts every damaged worktree aside that is not aside yet. @returns the new folders */
export async function quarantineDamaged(
  repository: Repository,
  options: InspectOptions = {},
): Promise<string[]> {
  const reports = await inspectWorktrees(repository, options);
  const aside: string[] = [];
  for (const { dir, adminDir, state, reason, isQuarantined } of reports) {
    if (state === 'corrupted' && !isQuarantined)
      aside.push(await moveAside(repository, { dir, adminDir }, reason));
  }
  return aside;
}

/** What no folder and no record belongs to, where its commit has a reference besides. */
async function removeZombies(repository: Repository): Promise<string[]> {
  const { git, gitDir } = repository;
  const removed: string[] = [];
  const prefix = placeOf(repository, '').adminDir;
  for (const entry of await readdir(join(gitDir, 'worktrees')).catch(() => [])) {
    const adminDir = join(gitDir, 'worktrees', entry);
    if (!adminDir.startsWith(prefix)) continue;
    const { dir } = placeOf(repository, adminDir.slice(prefix.length));
    if (existsSync(dir) || existsSync(recordFile(dir))) continue;
    const head = await git
      .run(['rev-parse', '--verify', 'HEAD'], { variables: { GIT_DIR: adminDir } })
      .catch(() => '');
    const named = head && (await git.run(['for-each-ref', '--count=1', '--contains', head.trim()]));
    if (head && !named) continue;
    await rm(adminDir, { recursive: true, force: true });
    removed.push(adminDir);
  }
  for (const entry of await readdir(gitDir)) {
    if (!/^drover-[0-9a-f-]+\.tmp$/.test(entry)) continue;
    const path = join(gitDir, entry);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs < STALE) continue;
    await rm(path, { recursive: true, force: true });
    removed.push(path);
  }
  return removed;
}
