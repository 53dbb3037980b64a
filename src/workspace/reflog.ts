/** Git's own record of what a reference named, read from its files. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface ReflogEntry {
  /** Null where it did not exist. */
  readonly from: string | null;
  readonly to: string;
  /** What made the move, such as `commit: Add a till`. */
  readonly message: string;
  /** As it is in the file: git writes the same one for a branch and for the HEAD that is on it. */
  readonly line: string;
}

/** The oldest first; empty where git keeps none. @param gitDir the folder that has the reference, such as `HEAD` */
export async function readReflog(gitDir: string, ref: string): Promise<ReflogEntry[]> {
  const text = await readFile(join(gitDir, 'logs', ref), 'utf8').catch(() => '');
  return [...text.matchAll(/^([0-9a-f]+) ([0-9a-f]+) [^\t\n]*(?:\t(.*))?$/gm)].map((match) => ({
    from: /^0+$/.test(match[1]!) ? null : match[1]!,
    to: match[2]!,
    message: match[3] ?? '',
    line: match[0],
  }));
}
