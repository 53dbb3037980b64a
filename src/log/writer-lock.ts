/**
 * Lets one process at a time write a data directory's log (invariant 6).
 *
 * The lock is an exclusive transaction on a small SQLite file of its own, so the operating system gives it
 * up when its holder dies, however it dies: there is no stale lock file to judge.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { DroverError, messageOf } from '../core/errors.js';
import { makeDataDir } from './data-dir.js';
import { openSqlite, type Sqlite } from './sqlite.js';

const holderSchema = z.object({ pid: z.int(), host: z.string(), since: z.string() });
export type Holder = z.infer<typeof holderSchema>;

export interface WriterLock {
  readonly release: () => void;
}

/** Milliseconds that a look at the lock may take. */
const LOOK = 250;

const lockFile = (dataDir: string): string => join(dataDir, 'writer.lock');
const holderFile = (dataDir: string): string => join(dataDir, 'writer.json');

/**
 * @throws DroverError `log-locked`, naming the holder; `log-unwritable` where the directory cannot be written.
 */
export function acquireWriterLock(dataDir: string): WriterLock {
  const sqlite = openLock(dataDir);
  try {
    sqlite.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    sqlite.close();
    // A full disk has no room for the lock either.
    if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY')) {
      throw unwritable(dataDir, error);
    }
    const holder = readHolder(dataDir);
    throw new DroverError(
      'log-locked',
      `Another supervisor writes the log in ${dataDir}${holder ? ` (process ${holder.pid} on ${holder.host}, since ${holder.since})` : ''}.`,
      'Use that one, stop it with `drover down`, or name another data directory with --data.',
      { cause: error },
    );
  }
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  try {
    writeFileSync(holderFile(dataDir), JSON.stringify(holder), { mode: 0o600 });
  } catch (error) {
    sqlite.close();
    throw unwritable(dataDir, error);
  }
  return {
    release() {
      rmSync(holderFile(dataDir), { force: true });
      sqlite.close();
    },
  };
}

/** Who holds the lock now, or undefined where nobody does. */
export function writerLockHolder(dataDir: string): Holder | undefined {
  const holder = readHolder(dataDir);
  if (!holder) return undefined;
  let sqlite: Sqlite | undefined;
  try {
    sqlite = openSqlite(lockFile(dataDir), { timeout: 0 });
    sqlite.exec('BEGIN EXCLUSIVE');
    return undefined;
  } catch {
    return holder;
  } finally {
    sqlite?.close();
  }
}

function openLock(dataDir: string): Sqlite {
  try {
    makeDataDir(dataDir);
    // Long enough for somebody who only looks whether it is held.
    return openSqlite(lockFile(dataDir), { timeout: LOOK });
  } catch (error) {
    if (error instanceof DroverError) throw error;
    throw unwritable(dataDir, error);
  }
}

const unwritable = (dataDir: string, cause: unknown): DroverError =>
  new DroverError(
    'log-unwritable',
    `Cannot write in the data directory ${dataDir}: ${messageOf(cause)}.`,
    'Make room on its disk, give this user access to it, or name another one with --data.',
    { cause },
  );

function readHolder(dataDir: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(holderFile(dataDir), 'utf8')));
  } catch {
    return undefined;
  }
}
