/** The data directory, made where it is missing. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DroverError, messageOf } from '../core/errors.js';

/** @throws DroverError `log-unwritable` where it cannot be made */
export function makeDataDir(dataDir: string): void {
  try {
    makeFolder(resolve(dataDir));
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

/** One by one: Node's own recursive mkdir tries for ever where a folder takes no others, as below /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Somebody else was faster.
    if (!existsSync(folder)) throw error;
  }
}
