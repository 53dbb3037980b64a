/**
 * Git's folders in a worktree, other than its own: repositories in the repository, and what looks like a part of one.
 *
 * Git passes over what lies in a `.git` folder without a word, and refuses to take in a repository without a commit. Here
 * all of them are found, written in any way that some system takes for `.git`. What the project has git ignore is
 * not looked into, and neither are its submodules.
 */
import { randomUUID } from 'node:crypto';
import { type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { treeOf } from './commits.js';
import { isGitFolder, type Refusal } from './guard.js';
import type { Repository } from './repository.js';
import { entriesOf, isFolder, type TreeEntry } from './trees.js';
import { filesOf } from './worktree.js';
import type { Worktree } from './worktree-record.js';

export interface NestedGit {
  /** Of the folder or file, such as `sub/.git`. */
  readonly path: string;
  /** The folder it lies in, where neither tree has that: git takes it for a repository, and nothing in it for files. */
  readonly repository: string | undefined;
  /** Whether there is anything in it that a removal would lose: commits, or files that were staged. */
  readonly hasObjects: boolean;
}

interface Folder {
  readonly path: string;
  /** Its tree as it was committed, and as it was at the start; undefined where there is none. */
  readonly tree: string | undefined;
  readonly start: string | undefined;
}

const SUBMODULE = '160000';

/** @param tree a commit or tree of what is there, as far as there is one; it saves looking at folders that git ignores */
export async function nestedGit(
  repository: Repository,
  worktree: Worktree,
  tree: string,
): Promise<NestedGit[]> {
  const found: NestedGit[] = [];
  const entriesAt = (id: string | undefined) => (id === undefined ? [] : entriesOf(repository, id));
  let folders: Folder[] = [
    {
      path: '',
      tree: await treeOf(repository, tree),
      start: await treeOf(repository, worktree.record.start),
    },
  ];
  while (folders.length > 0) {
    const unknown: string[] = [];
    for (let folder = folders.pop(); folder; folder = folders.pop()) {
      const { path } = folder;
      const isNew = folder.tree === undefined && folder.start === undefined;
      const [now, before] = [await entriesAt(folder.tree), await entriesAt(folder.start)];
      for (const entry of await entriesIn(join(worktree.dir, path))) {
        const inside = path === '' ? entry.name : `${path}/${entry.name}`;
        if (inside === '.git') continue;
        if (isGitFolder(entry.name)) {
          const isRepository = entry.name === '.git' && isNew;
          const hasObjects = await holdsFiles(join(worktree.dir, inside, 'objects'));
          found.push({ path: inside, repository: isRepository ? path : undefined, hasObjects });
        } else if (entry.isDirectory()) {
          const was = namedIn(before, entry.name);
          // A submodule is the project's affair.
          if (was?.mode === SUBMODULE) continue;
          const [at, start] = [namedIn(now, entry.name), was].map((each) =>
            each && isFolder(each) ? each.id : undefined,
          );
          if (at ?? start) folders.push({ path: inside, tree: at, start });
          else unknown.push(inside);
        }
      }
    }
    const others = await notIgnored(repository, worktree, unknown);
    folders = others.map((path) => ({ path, tree: undefined, start: undefined }));
  }
  return found;
}

/** Why such folders cannot be part of the work. */
export const nestedRefusals = (nested: readonly NestedGit[]): Refusal[] =>
  nested.map(({ path }) => ({
    path,
    problem: 'is a `.git` of its own, in the middle of the work',
    remedy: `Remove it, with what made it (such as \`git init\` or \`git clone\`), or name its folder in .gitignore.`,
  }));

/** Trees have names as bytes. */
const namedIn = (entries: readonly TreeEntry[], name: string): TreeEntry | undefined => {
  const bytes = Buffer.from(name).toString('latin1');
  return entries.find((entry) => entry.name === bytes);
};

/** What cannot be looked into git cannot take in either, and says so. */
const entriesIn = (dir: string): Promise<Dirent[]> =>
  readdir(dir, { withFileTypes: true }).catch(() => []);

async function holdsFiles(dir: string): Promise<boolean> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries.some((entry) => !entry.isDirectory());
}

async function notIgnored(
  { objects }: Repository,
  worktree: Worktree,
  paths: readonly string[],
): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const variables = filesOf(worktree, join(worktree.adminDir, `none-${randomUUID()}`));
  // It takes no literal paths, and none that begins so for anything else.
  const named = paths.map((path) => [`./${path}/`, path] as const);
  const input = named.map(([name]) => `${name}\0`).join('');
  const args = ['--no-literal-pathspecs', 'check-ignore', '--no-index', '--stdin', '-z'];
  const { output } = await objects.ask(args, { variables, input });
  const ignored = new Set(output.split('\0'));
  return named.flatMap(([name, path]) => (ignored.has(name) ? [] : [path]));
}
