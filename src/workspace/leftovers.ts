/**
 * What claims of a task that are over left in worktrees of this machine.
 *
 * Kept here: invariant 8. Whatever such a claim did is committed and kept before its folder goes, and what cannot be
 * committed is put aside whole. A folder whose process still lives is only looked at: a stopped process that is
 * continued may write into it yet.
 */
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { isAlive } from '../queues/alive.js';
import { salvage } from './checkpoint.js';
import type { Claim } from './claims.js';
import type { Author } from './git.js';
import { inspectWorktree } from './inspect.js';
import { removeWorktree } from './prune.js';
import { moveAside } from './quarantine.js';
import type { Repository } from './repository.js';
import { placeOf, readRecord } from './worktree-record.js';

const NAME = /^(task-\d+)\.(\d+)(?:\.check)?$/;

/** To be called by a claim that holds its task. Does nothing about later claims, and nothing twice. */
export async function settleLeftovers(
  repository: Repository,
  { task, claim }: Pick<Claim, 'task' | 'claim'>,
  author?: Author,
): Promise<void> {
  const entries = await readdir(repository.worktreesDir).catch(() => []);
  const names = new Set(entries.map((entry) => entry.replace(/\.json$/, '')));
  for (const name of names) {
    const [, of, number] = NAME.exec(name) ?? [];
    if (of === task && Number(number) < claim) await settle(repository, name, author);
  }
}

async function settle(repository: Repository, name: string, author?: Author): Promise<void> {
  const { dir, adminDir } = placeOf(repository, name);
  const record = await readRecord(dir);
  const lives = record?.host === hostname() && isAlive(record.pid);
  const seen = () => inspectWorktree(repository, name, { isInUse: () => false });
  let { state, reason, isSafe } = await seen();
  if (record && (state === 'dirty' || state === 'unmerged')) {
    await salvage(repository, { dir, adminDir, record }, author);
    if (!lives) ({ state, reason, isSafe } = await seen());
  }
  if (lives) return;
  if (isSafe) await removeWorktree({ dir, adminDir });
  else await moveAside(repository, { dir, adminDir }, reason);
}
