/** What differs between two trees, by path. */
import { treeOf } from './commits.js';
import type { Repository } from './repository.js';
import { ABSENT, entriesOf, isFolder, orderOf, type TreeEntry } from './trees.js';

export interface Change {
  readonly path: string;
  /** Octal as git writes them; `000000` where the path is not there. */
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldObject: string;
  readonly newObject: string;
}

/**
 * Every path that differs, in the order in which git's patches have them. A renamed file is one that went and one
 * that came.
 * @param from a tree or commit
 * @param to a tree or commit
 */
export async function changesBetween(
  repository: Repository,
  from: string,
  to: string,
): Promise<Change[]> {
  if (from === to) return [];
  const trees = [await treeOf(repository, from), await treeOf(repository, to)] as const;
  const changes: Change[] = [];
  await compare(repository, trees, '', changes);
  return changes;
}

type Pair<T> = readonly [old: T | undefined, now: T | undefined];

/** @param prefix bytes, as names are */
async function compare(
  repository: Repository,
  [old, now]: Pair<string>,
  prefix: string,
  changes: Change[],
): Promise<void> {
  if (old === now) return;
  const before = old === undefined ? [] : await entriesOf(repository, old);
  const after = now === undefined ? [] : await entriesOf(repository, now);
  for (const [from, to] of paired(before, after)) {
    if (from && to && from.id === to.id && modeOf(from) === modeOf(to)) continue;
    const entry = (from ?? to)!;
    const path = `${prefix}${entry.name}`;
    if (isFolder(entry)) await compare(repository, [from?.id, to?.id], `${path}/`, changes);
    else changes.push(changeOf(repository, path, [from, to]));
  }
}

/** Entries of the same name and kind together: a folder that becomes a file is one that went and one that came. */
function* paired(before: TreeEntry[], after: TreeEntry[]): Generator<Pair<TreeEntry>> {
  for (let [at, to] = [0, 0]; at < before.length || to < after.length;) {
    const [from, now] = [before[at], after[to]];
    const isOld = from !== undefined && (now === undefined || orderOf(from) <= orderOf(now));
    const isNew = now !== undefined && (from === undefined || orderOf(now) <= orderOf(from));
    yield [isOld ? from : undefined, isNew ? now : undefined];
    if (isOld) at += 1;
    if (isNew) to += 1;
  }
}

function changeOf({ format }: Repository, path: string, [old, now]: Pair<TreeEntry>): Change {
  const none = '0'.repeat(format === 'sha256' ? 64 : 40);
  return {
    path: Buffer.from(path, 'latin1').toString(),
    oldMode: old ? modeOf(old) : ABSENT,
    newMode: now ? modeOf(now) : ABSENT,
    oldObject: old?.id ?? none,
    newObject: now?.id ?? none,
  };
}

/** As git takes it: old trees have modes such as 100664. */
function modeOf({ mode }: TreeEntry): string {
  if (!mode.startsWith('100')) return mode.padStart(6, '0');
  return Number.parseInt(mode, 8) & 0o100 ? '100755' : '100644';
}
