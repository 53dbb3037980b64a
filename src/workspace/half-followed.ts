/** What an update of a checkout has written that was cut short: git would take it for somebody's changes. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Change } from './changes.js';
import type { Git } from './git.js';

/** Enters the files that are as they are to be into the index, so that git knows them. */
export async function enterWritten(git: Git, changes: readonly Change[]): Promise<void> {
  const there: Change[] = [];
  for (const change of changes) {
    // The list that git takes has one path a line.
    if (!change.newMode.startsWith('100') || change.path.includes('\n')) continue;
    if ((await lstat(join(git.dir, change.path)).catch(() => undefined))?.isFile())
      there.push(change);
  }
  if (there.length === 0) return;
  const input = there.map(({ path }) => `${path}\n`).join('');
  const objects = (await git.run(['hash-object', '--stdin-paths'], { input })).split('\n');
  const written = there.filter(({ newObject }, at) => newObject === objects[at]);
  const entries = written.map(
    ({ path, newMode, newObject }) => `${newMode} ${newObject}\t${path}\0`,
  );
  await git.run(['update-index', '-z', '--index-info'], { input: entries.join('') });
}
