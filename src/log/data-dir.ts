/** Folders that people name, made where they are missing. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DroverError, messageOf } from '../core/errors.js';

/** @throws DroverError `log-unwritable` where it cannot be made */
export function makeDataDir(dataDir: string): void {
  try {
    makeFolder(dataDir, 0o700);
    if (!statSync(dataDir).isDirectory()) throw new Error('it is a file');
  } catch (error) {
    throw new DroverError(
      'log-unwritable',
      `The data directory ${dataDir} cannot be made: ${messageOf(error)}.`,
      'Name another one with --data or DROVER_DATA, in a folder that this user may write to.',
      { cause: error },
    );
  }
}

/**
 * Makes a folder with those above it, one by one: Node's own recursive mkdir tries for ever where a folder takes no
 * others, as below /proc.
 */
export function makeFolder(folder: string, mode?: number): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(resolve(folder)), mode);
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    // Somebody else was faster.
    if (!existsSync(folder)) throw error;
  }
}
