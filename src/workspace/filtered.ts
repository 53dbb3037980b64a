/**
 * Files that `.gitattributes` gives to a filter, such as those of Git LFS.
 *
 * Drover runs no filter: a repository would choose the program. So a file that a filter has to change on its way into the
 * history would get there as it is: a large one itself in place of its pointer, a secret one in plain text. Git calls such
 * a filter required. Work that has such a file is refused, but for pointers of Git LFS, which are what its filter makes.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Change, changesBetween } from './changes.js';
import type { Refusal } from './guard.js';
import type { Repository } from './repository.js';
import { fileIn, putFiles, type TreeFile } from './trees.js';
import type { Worktree } from './worktree-record.js';

const ATTRIBUTES = '.gitattributes';
const POINTER =
  /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:ext-.*\n)*oid sha256:([0-9a-f]{64})\nsize \d+\n$/;
/** Bytes, as Git LFS has it. */
const LONGEST_POINTER = 1_024;

const isFile = (mode: string): boolean => mode.startsWith('100');

/** @param head the commit or tree with the changes */
export async function filteredRefusals(
  repository: Repository,
  head: string,
  changes: readonly Change[],
): Promise<Refusal[]> {
  const files = changes.filter(({ newMode }) => isFile(newMode));
  const paths = files.map(({ path }) => path);
  if (!(await mayBeFiltered(repository, head, paths))) return [];
  const filters = await filtersOf(repository, head, paths);
  const ofLfs = files.filter(({ path }) => filters.get(path) === 'lfs');
  const pointers = await pointersIn(
    repository,
    ofLfs.map(({ newObject }) => newObject),
  );
  const required = new Map<string, boolean>();
  const refusals: Refusal[] = [];
  for (const { path, newObject } of files) {
    const filter = filters.get(path);
    if (filter === undefined) continue;
    if (filter === 'lfs') {
      if (!pointers.has(newObject)) refusals.push(noPointer(path));
      continue;
    }
    if (!required.has(filter)) required.set(filter, await isRequired(repository, filter));
    if (required.get(filter)) refusals.push(unfiltered(path, filter));
  }
  return refusals;
}

const noPointer = (path: string): Refusal => ({
  path,
  problem: 'belongs to Git LFS, and would get into the history itself in place of its pointer',
  remedy: `Let the task leave the pointer there: \`git lfs clean -- FILE < FILE > FILE.pointer && mv FILE.pointer FILE\`.`,
});

const unfiltered = (path: string, filter: string): Refusal => ({
  path,
  problem: `has to go through the filter ‘${filter}’, and would get into the history without`,
  remedy: 'Change it by hand, or leave it out of the work; Drover runs no filters.',
});

/** Cheap: most repositories have none. */
async function mayBeFiltered(
  repository: Repository,
  head: string,
  paths: readonly string[],
): Promise<boolean> {
  const folders = new Set(
    paths.flatMap((path) => path.split('/').map((_, at, all) => all.slice(0, at).join('/'))),
  );
  const own = await readFile(join(repository.gitDir, 'info', 'attributes'), 'utf8').catch(() => '');
  if (own.includes('filter=')) return true;
  for (const folder of folders) {
    const path = folder === '' ? ATTRIBUTES : `${folder}/${ATTRIBUTES}`;
    if ((await fileIn(repository, head, path))?.includes('filter=')) return true;
  }
  return false;
}

/** The filter of each path that has one, as git itself tells it. */
async function filtersOf(
  { git, objects, gitDir }: Repository,
  head: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const index = join(gitDir, `drover-index-${randomUUID()}`);
  const variables = { GIT_INDEX_FILE: index };
  try {
    await objects.run(['read-tree', head], { variables });
    const input = paths.map((path) => `${path}\0`).join('');
    const args = ['check-attr', '--cached', '--stdin', '-z', 'filter'];
    const fields = (await git.run(args, { input, variables })).split('\0');
    const filters = new Map<string, string>();
    for (let at = 0; at + 2 < fields.length; at += 3) {
      const [path, , value] = fields.slice(at, at + 3);
      if (!['unspecified', 'unset', 'set'].includes(value!)) filters.set(path!, value!);
    }
    return filters;
  } finally {
    for (const file of [index, `${index}.lock`]) await rm(file, { force: true });
  }
}

/** The system's configuration counts too, where a filter may be set up for everybody. */
async function isRequired({ git }: Repository, filter: string): Promise<boolean> {
  const args = ['config', '--type=bool', '--get', `filter.${filter}.required`];
  const { output } = await git.ask(args, { variables: { GIT_CONFIG_NOSYSTEM: '0' } });
  return output.trim() === 'true';
}

/** The digests that pointers name, by object; what is no pointer is left out. Only small objects are read. */
async function pointersIn(
  { objects, store }: Repository,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const input = ids.map((id) => `${id}\n`).join('');
  const asked = ['cat-file', '--batch-check=%(objectname) %(objectsize)'];
  const listed = ids.length === 0 ? '' : await objects.run(asked, { input });
  const pointers = new Map<string, string>();
  for (const [, id, size] of listed.matchAll(/^(\S+) (\d+)$/gm)) {
    if (Number(size) > LONGEST_POINTER) continue;
    const digest = POINTER.exec((await store.get(id!)).content.toString())?.[1];
    if (digest !== undefined) pointers.set(id!, digest);
  }
  return pointers;
}

/**
 * The tree with the pointers that it had at the start, in place of the very files that they name: a set-up with
 * `git lfs pull` puts those there.
 */
export async function withPointers(
  repository: Repository,
  { dir, record }: Worktree,
  tree: string,
): Promise<string> {
  const changes = (await changesBetween(repository, record.start, tree)).filter(
    ({ oldMode, newMode }) => isFile(oldMode) && isFile(newMode),
  );
  const paths = changes.map(({ path }) => path);
  if (!(await mayBeFiltered(repository, record.start, paths))) return tree;
  const old = changes.map(({ path, oldObject: object }) => ({ path, object }));
  const fetched = await fetchedFiles(repository, dir, old);
  if (fetched.size === 0) return tree;
  const same: TreeFile[] = changes
    .filter(({ path }) => fetched.has(path))
    .map(({ path, newMode: mode, oldObject: object }) => ({ path, mode, object }));
  return putFiles(repository, tree, same);
}

/**
 * The files that are what their pointer names.
 * @param files with the object that the history or the index has for each
 */
export async function fetchedFiles(
  repository: Repository,
  dir: string,
  files: readonly { readonly path: string; readonly object: string }[],
): Promise<ReadonlySet<string>> {
  const objects = files.map(({ object }) => object);
  const pointers = await pointersIn(repository, objects);
  const fetched = new Set<string>();
  for (const { path, object } of files) {
    const digest = pointers.get(object);
    if (digest !== undefined && (await digestOf(join(dir, path))) === digest) fetched.add(path);
  }
  return fetched;
}

/** Undefined where there is no such file to be read. */
async function digestOf(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
    return hash.digest('hex');
  } catch {
    return undefined;
  }
}
