/**
 * Builds the log of a data directory beside it and puts it in place when it is complete.
 *
 * Invariants kept here: 1 (whatever ends the building, there is the whole log or none).
 */
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { logFile } from './database.js';
import { Log } from './log.js';

/** First part of the names of folders in which logs are built. */
const UNFINISHED = 'building-';

/** Entries of a data directory that are no leftovers of a build that was ended half-way. */
export function contentsOf(dataDir: string): string[] {
  return readdirSync(dataDir).filter((name) => !name.startsWith(UNFINISHED));
}

/**
 * Makes the log of a data directory. `fill` works on a file of its own, which becomes the log in one step when
 * it is complete and on the disk: whatever happens before that leaves no log behind.
 * The caller holds the writer's lock.
 */
export async function buildLog<T>(dataDir: string, fill: (log: Log) => Promise<T>): Promise<T> {
  for (const name of readdirSync(dataDir)) {
    if (name.startsWith(UNFINISHED)) rmSync(join(dataDir, name), { recursive: true });
  }
  const folder = mkdtempSync(join(dataDir, UNFINISHED));
  try {
    const result = await filled(folder, fill);
    sync(logFile(folder));
    renameSync(logFile(folder), logFile(dataDir));
    sync(dataDir);
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

async function filled<T>(folder: string, fill: (log: Log) => Promise<T>): Promise<T> {
  // Closed before it is moved: the last connection to close writes the journal back into the file.
  using log = Log.open(folder);
  return await fill(log);
}
