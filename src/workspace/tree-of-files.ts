/**
 * Takes a worktree's files for a tree; only objects are added.
 *
 * Kept here: what git cannot take in is told, each with its reason, and keeps nothing else out (invariant 8).
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, readFile, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DroverError, messageOf } from '../core/errors.js';
import { withPointers } from './filtered.js';
import type { NestedGit } from './nested-git.js';
import type { Repository } from './repository.js';
import { filesOf } from './worktree.js';
import type { Worktree } from './worktree-record.js';

/** A file that git cannot take in. */
export interface LeftOut {
  readonly path: string;
  /** In git's words. */
  readonly reason: string;
  /** What it leads to, where it is a symbolic link. */
  readonly target?: string;
}

export interface TreeOfFiles {
  readonly tree: string;
  readonly leftOut: readonly LeftOut[];
}

export const leftOutText = ({ path, reason, target }: LeftOut): string => {
  const what = target === undefined ? path : `${path} (a symbolic link to ${target})`;
  return `Git does not take in ${what}: ${reason}.`;
};

/** @param nested git's folders to leave out; the files beside them are taken in */
export async function treeOfFiles(
  repository: Repository,
  worktree: Worktree,
  nested: readonly NestedGit[] = [],
): Promise<TreeOfFiles> {
  const { objects, gitDir } = repository;
  const { adminDir, record } = worktree;
  // Its own: somebody may look at the same worktree at this moment, and take what is in a shared one for the work.
  const index = join(adminDir, `drover-index-${randomUUID()}`);
  const variables = filesOf(worktree, index);
  const ignored = `${index}.ignored`;
  const shared = await readFile(join(gitDir, 'info', 'exclude'), 'utf8').catch(() => '');
  const out = nested.map((each) => each.repository ?? each.path);
  const patterns = [...record.links, ...out].map((path) => `/${patternOf(path)}`);
  const attempt = async (): Promise<TreeOfFiles> => {
    const leftOut = await addAll(repository, worktree, ignored, variables);
    for (const each of nested) await addFilesOf(repository, worktree, each, variables);
    const tree = (await objects.run(['write-tree'], { variables })).trim();
    return { tree: await withPointers(repository, worktree, tree), leftOut };
  };
  try {
    await writeFile(ignored, `${shared}\n${patterns.join('\n')}\n`);
    // A copy knows which files have not changed, so they are not read again.
    if (existsSync(join(adminDir, 'index'))) {
      await copyIndex(join(adminDir, 'index'), index);
      const made = await attempt().catch(() => undefined);
      if (made !== undefined) return made;
    }
    await rm(index, { force: true });
    await objects.run(['read-tree', record.start], { variables });
    return await attempt();
  } catch (error) {
    throw objects.explain(error);
  } finally {
    for (const file of [index, `${index}.lock`, ignored]) await rm(file, { force: true });
  }
}

/**
 * As old as the original: git reads the files again that may have changed since within the second in which the index was
 * written, and takes them for unchanged where the index is younger than that.
 */
async function copyIndex(from: string, to: string): Promise<void> {
  const written = Math.floor((await stat(from)).mtimeMs / 1_000);
  await copyFile(from, to);
  await utimes(to, written, written);
}

const patternOf = (path: string): string => path.replaceAll(/[*?[\]\\! #]/g, String.raw`\$&`);

/** @returns what git left out. @throws where it stopped before it had seen everything */
async function addAll(
  { objects }: Repository,
  { dir }: Worktree,
  ignored: string,
  variables: Record<string, string>,
): Promise<LeftOut[]> {
  const add = ['-c', `core.excludesFile=${ignored}`, 'add', '--all', '--ignore-errors'];
  try {
    await objects.run(add, { variables });
    return [];
  } catch (error) {
    const said = messageOf(error);
    const leftOut = error instanceof DroverError || /^fatal:/m.test(said) ? [] : parseLeftOut(said);
    if (leftOut.length === 0) throw error;
    return Promise.all(
      leftOut.map(async (each) => {
        const target = await readlink(join(dir, each.path)).catch(() => undefined);
        return { ...each, ...(target !== undefined && { target }) };
      }),
    );
  }
}

/** Git says first why, and then of which file; or both in one line. */
function parseLeftOut(said: string): LeftOut[] {
  const leftOut: LeftOut[] = [];
  let reason: string | undefined;
  for (const [, line] of said.matchAll(/^error: (.*)$/gm)) {
    const file = /^unable to (?:add|index file) '(.*?)'(?: to index)?$/.exec(line!)?.[1];
    const whole = /^'(.*?)\/?' (does not have .*)$/.exec(line!);
    if (file !== undefined) leftOut.push({ path: file, reason: reason ?? 'it cannot be read' });
    else if (whole) leftOut.push({ path: whole[1]!, reason: `it ${whole[2]}` });
    else reason = line;
  }
  return leftOut;
}

/** Git takes in no file that lies in a repository of its own, unless it is named. */
async function addFilesOf(
  { objects }: Repository,
  { dir }: Worktree,
  { repository: path }: NestedGit,
  variables: Record<string, string>,
): Promise<void> {
  if (path === undefined) return;
  const inside = {
    GIT_WORK_TREE: join(dir, path),
    GIT_INDEX_FILE: `${variables['GIT_INDEX_FILE']}.none`,
  };
  const list = ['ls-files', '-z', '--others', '--exclude-standard'];
  const listed = await objects.run(list, { variables: inside });
  // Repositories inside this one end with a slash, and have their own turn.
  const names = listed.split('\0').filter((name) => name !== '' && !name.endsWith('/'));
  const input = names.map((name) => `${path}/${name}\0`).join('');
  await objects.run(['update-index', '--add', '-z', '--stdin'], { variables, input });
}
