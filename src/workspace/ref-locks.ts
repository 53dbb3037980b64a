/** Locks of references that git would run into when it moves them, seen before anything is done for that. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOCK_BACKOFF, lockedBy } from './git.js';
import type { Repository } from './repository.js';

/** @throws DroverError `hindered` where one of them, or the file of packed ones, stays locked for some seconds */
export async function assertNotLocked(
  { kind, gitDir, dir }: Repository,
  refs: readonly string[],
): Promise<void> {
  if (kind === 'remote') return;
  const locks = [...refs, 'packed-refs'].map((name) => join(gitDir, `${name}.lock`));
  const held = (): string | undefined => locks.find((lock) => existsSync(lock));
  for (const pause of LOCK_BACKOFF) {
    if (held() === undefined) return;
    await sleep(pause);
  }
  const lock = held();
  if (lock !== undefined) throw lockedBy(lock, dir);
}
