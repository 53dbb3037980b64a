/** Builds trees from other trees, without a checkout. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ABSENT } from './changes.js';
import type { Repository } from './repository.js';

/** A file to put into a tree: its text, or an object that is there already. The mode `000000` removes it. */
export type TreeFile =
  | { readonly path: string; readonly content: string }
  | { readonly path: string; readonly mode: string; readonly object: string };

/**
 * @param tree a tree or commit, which stays as it is
 * @returns the tree that has these files instead
 */
export async function putFiles(
  repository: Repository,
  tree: string,
  files: readonly TreeFile[],
): Promise<string> {
  const { objects } = repository;
  const index = join(objects.dir, `index-${randomUUID()}`);
  const variables = { GIT_INDEX_FILE: index };
  try {
    const reading = objects.run(['read-tree', tree], { variables });
    const entries: string[] = [];
    try {
      for (const file of files) entries.push(await entryOf(repository, file));
    } finally {
      await reading;
    }
    const input = entries.map((entry) => `${entry}\0`).join('');
    await objects.run(['update-index', '-z', '--add', '--replace', '--index-info'], {
      variables,
      input,
    });
    return (await objects.run(['write-tree'], { variables })).trim();
  } finally {
    await rm(index, { force: true });
  }
}

async function entryOf({ objects, format }: Repository, file: TreeFile): Promise<string> {
  if ('content' in file) {
    // Empty input would leave git waiting for a terminal's.
    const write = ['hash-object', '-w', '--stdin'];
    const object = (await objects.run(write, { input: file.content })).trim();
    return `100644 ${object}\t${file.path}`;
  }
  const none = '0'.repeat(format === 'sha256' ? 64 : 40);
  return file.mode === ABSENT
    ? `0 ${none}\t${file.path}`
    : `${file.mode} ${file.object}\t${file.path}`;
}

/** A file's text in a tree or commit; undefined where it has none, or something else of that name. */
export async function fileIn(
  { objects }: Repository,
  tree: string,
  path: string,
): Promise<string | undefined> {
  const listed = await objects.run(['ls-tree', '--full-tree', '-z', tree, '--', path]);
  const blob = /^100\d+ blob ([0-9a-f]+)\t/.exec(listed)?.[1];
  return blob === undefined ? undefined : objects.run(['cat-file', 'blob', blob]);
}
