/** Reads trees and builds them from other trees, as objects: without a checkout, an index or a process. */
import type { Repository } from './repository.js';
import { treeOf } from './commits.js';

export const ABSENT = '000000';
const FOLDER = '40000';

export interface TreeEntry {
  /** As the tree has it: octal, without zeros in front. */
  readonly mode: string;
  /** Bytes, a character for each: git's order is that of bytes. */
  readonly name: string;
  readonly id: string;
}

/** A file to put into a tree: its text, or an object that is there already. The mode `000000` removes it. */
export type TreeFile =
  | { readonly path: string; readonly content: string }
  | { readonly path: string; readonly mode: string; readonly object: string };

export const isFolder = ({ mode }: TreeEntry): boolean => mode === FOLDER;
/** By this git orders a tree's entries. */
export const orderOf = (entry: TreeEntry): string =>
  isFolder(entry) ? `${entry.name}/` : entry.name;

/** @param id a tree's */
export async function entriesOf({ store, format }: Repository, id: string): Promise<TreeEntry[]> {
  const { type, content } = await store.get(id);
  if (type !== 'tree') throw new Error(`the object ${id} is a ${type} and no tree`);
  const length = format === 'sha256' ? 32 : 20;
  const entries: TreeEntry[] = [];
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(' ', at);
    const end = content.indexOf(0, space);
    entries.push({
      mode: content.toString('latin1', at, space),
      name: content.toString('latin1', space + 1, end),
      id: content.toString('hex', end + 1, end + 1 + length),
    });
    at = end + 1 + length;
  }
  return entries;
}

function writeTree({ store }: Repository, entries: Iterable<TreeEntry>): Promise<string> {
  const sorted = [...entries].toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  const parts = sorted.flatMap(({ mode, name, id }) => [
    Buffer.from(`${mode} ${name}\0`, 'latin1'),
    Buffer.from(id, 'hex'),
  ]);
  return store.write('tree', Buffer.concat(parts));
}

export const emptyTree = (repository: Repository): Promise<string> => writeTree(repository, []);

interface Edit {
  /** The rest of its path, bytes. */
  readonly path: readonly string[];
  /** Undefined to remove it. */
  readonly entry: Pick<TreeEntry, 'mode' | 'id'> | undefined;
}

/**
 * @param tree a tree or commit, which stays as it is
 * @returns the tree that has these files instead
 */
export async function putFiles(
  repository: Repository,
  tree: string,
  files: readonly TreeFile[],
): Promise<string> {
  const edits: Edit[] = [];
  for (const file of files) {
    const path = Buffer.from(file.path).toString('latin1').split('/');
    edits.push({ path, entry: await entryOf(repository, file) });
  }
  const made = await edited(repository, await treeOf(repository, tree), edits);
  return made ?? emptyTree(repository);
}

async function entryOf({ store }: Repository, file: TreeFile): Promise<Edit['entry']> {
  if ('content' in file) return { mode: '100644', id: await store.write('blob', file.content) };
  return file.mode === ABSENT ? undefined : { mode: file.mode, id: file.object };
}

/** Undefined where nothing is left: git has no empty folders. */
async function edited(
  repository: Repository,
  tree: string | undefined,
  edits: readonly Edit[],
): Promise<string | undefined> {
  const before = tree === undefined ? [] : await entriesOf(repository, tree);
  const entries = new Map(before.map((entry) => [entry.name, entry]));
  for (const name of new Set(edits.map(({ path }) => path[0]!))) {
    const all = edits.filter(({ path }) => path[0] === name);
    const there = entries.get(name);
    const folder = there && isFolder(there) ? there : undefined;
    const file = all.findLast(({ path }) => path.length === 1);
    const below = all
      .filter(({ path }) => path.length > 1)
      .map(({ path, entry }) => ({ path: path.slice(1), entry }));
    if (file?.entry) {
      entries.set(name, { name, ...file.entry });
    } else {
      if (file && !folder) entries.delete(name);
      if (!folder && !below.some(({ entry }) => entry)) continue;
      const made = below.length === 0 ? folder?.id : await edited(repository, folder?.id, below);
      if (made === undefined) entries.delete(name);
      else entries.set(name, { name, mode: FOLDER, id: made });
    }
  }
  return entries.size === 0 ? undefined : writeTree(repository, entries.values());
}

/** A file's text in a tree or commit; undefined where it has none, or something else of that name. */
export async function fileIn(
  repository: Repository,
  tree: string,
  path: string,
): Promise<string | undefined> {
  let id = await treeOf(repository, tree);
  const parts = Buffer.from(path).toString('latin1').split('/');
  for (const [at, name] of parts.entries()) {
    const entry = (await entriesOf(repository, id)).find((each) => each.name === name);
    const isLast = at === parts.length - 1;
    if (!entry || (isLast ? !entry.mode.startsWith('100') : !isFolder(entry))) return undefined;
    id = entry.id;
  }
  return (await repository.store.get(id)).content.toString();
}
