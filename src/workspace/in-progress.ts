/** What a person may be in the middle of in a checkout. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Git } from './git.js';

const FILES: readonly (readonly [file: string, what: string])[] = [
  ['rebase-merge', 'a rebase'],
  ['rebase-apply', 'a rebase'],
  ['MERGE_HEAD', 'a merge'],
  ['CHERRY_PICK_HEAD', 'a cherry-pick'],
  ['REVERT_HEAD', 'a revert'],
  ['BISECT_LOG', 'a bisection'],
];

/** `a rebase`, `a merge`…; undefined where nothing is under way. */
export async function inProgress(git: Git): Promise<string | undefined> {
  const gitDir = (await git.run(['rev-parse', '--absolute-git-dir'])).trim();
  return FILES.find(([file]) => existsSync(join(gitDir, file)))?.[1];
}
