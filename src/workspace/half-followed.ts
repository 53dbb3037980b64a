/** What an update of a checkout has written that was cut short: git would take it for somebody's changes. */
import { lstat, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Change } from './changes.js';
import type { Git } from './git.js';
import type { ObjectStore } from './object-store.js';

/**
 * Enters the files that are as they are to be into the index, so that git knows them, and removes those of which only
 * the beginning was written, as a full disk leaves them: all that is in them is in the commit as well.
 */
export async function takeUpWritten(
  git: Git,
  store: ObjectStore,
  changes: readonly Change[],
): Promise<void> {
  const there: Change[] = [];
  for (const change of changes) {
    if (!change.newMode.startsWith('100')) continue;
    if ((await lstat(join(git.dir, change.path)).catch(() => undefined))?.isFile())
      there.push(change);
  }
  if (there.length === 0) return;
  const input = there.map(({ path }) => `${quoted(path)}\n`).join('');
  const objects = (await git.run(['hash-object', '--stdin-paths'], { input })).split('\n');
  const entries: string[] = [];
  for (const [at, { path, oldObject, newMode, newObject }] of there.entries()) {
    if (objects[at] === newObject) entries.push(`${newMode} ${newObject}\t${path}\0`);
    else if (objects[at] !== oldObject) await removeBeginning(git, store, path, newObject);
  }
  await git.run(['update-index', '-z', '--index-info'], { input: entries.join('') });
}

/** As git reads a list of one path a line, in which a path itself may have lines and quotes. */
const quoted = (path: string): string =>
  `"${path.replaceAll(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`;

async function removeBeginning(
  git: Git,
  store: ObjectStore,
  path: string,
  object: string,
): Promise<void> {
  const file = join(git.dir, path);
  const [written, { content }] = [await readFile(file), await store.get(object)];
  const isBeginning =
    written.length < content.length && content.subarray(0, written.length).equals(written);
  if (isBeginning) await rm(file);
}
