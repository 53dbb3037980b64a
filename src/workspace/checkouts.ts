/**
 * Moves the files of a checkout along when its branch moves.
 *
 * Kept here: a person's changes are never touched. A checkout follows only where every tracked file is as its
 * commit has it and nothing lies in the way; which files Drover writes itself, and may replace, the caller says.
 * Hooks do not run. Filters that somebody has set up (such as Git LFS) do not run either, so files that go through one
 * are a reason not to follow. The branch moves first and the files follow; a crash in between leaves an index that is
 * still the old commit's, by which the next call knows that it has to go on.
 */
import { existsSync } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DroverError, messageOf } from '../core/errors.js';
import { branchRef } from './branches.js';
import { type Change, changesBetween } from './changes.js';
import { fetchedFiles } from './filtered.js';
import { type Git, gitIn, LOCK_BACKOFF } from './git.js';
import { takeUpWritten } from './half-followed.js';
import { inProgress } from './in-progress.js';
import type { Repository } from './repository.js';
import { ABSENT, emptyTree } from './trees.js';

/** Why a checkout cannot follow. */
export interface Blocked {
  readonly dir: string;
  /** A sentence. */
  readonly reason: string;
  /** The files in question. */
  readonly files: readonly string[];
  /** What a person can do, where the reason does not say it. */
  readonly remedy?: string;
}

export interface Step {
  /** The branch's commit before; null where it had none. */
  readonly from: string | null;
  readonly to: string;
  /** Whether Drover writes the file, so that changes to it may be replaced. */
  readonly isOwn?: (path: string) => boolean;
}

/** The folders in which the branch is checked out. */
export async function checkoutsOf(repository: Repository, branch: string): Promise<string[]> {
  const { git, gitDir } = repository;
  const output = await git.run(['worktree', 'list', '--porcelain', '-z']);
  return output.split('\0\0').flatMap((entry) => {
    const lines = entry.split('\0');
    const dir = lines.find((line) => line.startsWith('worktree '))?.slice('worktree '.length);
    const isHere = lines.includes(`branch ${branchRef(branch)}`) && !lines.includes('bare');
    if (dir === undefined || !isHere || !existsSync(dir)) return [];
    // So git names a checkout whose git folder is elsewhere (`git init --separate-git-dir`).
    return [dir === gitDir ? repository.dir : dir];
  });
}

/**
 * Undefined where the checkout can follow. Changes nothing.
 * @throws DroverError `hindered` where another git command holds its index
 */
export async function blockerOf(
  repository: Repository,
  dir: string,
  step: Step,
): Promise<Blocked | undefined> {
  const git = await doorTo(repository, dir);
  const blocked = (reason: string, files: readonly string[] = []): Blocked => ({
    dir,
    reason,
    files,
  });
  const busy = await inProgress(git);
  if (busy) return blocked(`It is in the middle of ${busy}.`);
  await requireUnlocked(git);
  const isOwn = step.isOwn ?? (() => false);
  const dirty = (await changedFiles(repository, git)).filter((path) => !isOwn(path));
  if (dirty.length > 0)
    return blocked('It has changes that are not committed: commit or stash them.', dirty);
  const changes = await stepChanges(repository, step);
  const inTheWay = await untrackedAt(dir, changes, isOwn);
  if (inTheWay.length > 0)
    return blocked('Files that git does not track lie in the way: move them elsewhere.', inTheWay);
  const filtered = await filteredPaths(git, changes);
  if (filtered.length > 0)
    return blocked(
      'Files go through a filter, which only its user may run: merge the goal’s branch there by hand.',
      filtered,
    );
  return undefined;
}

export type Followed =
  | { readonly kind: 'followed' }
  | { readonly kind: 'stayed'; readonly blocked: Blocked };

/**
 * Brings the files of a checkout to the commit that its branch names already. May be repeated.
 * @returns `stayed` where somebody began to work in it meanwhile; git shows them what differs
 * @throws DroverError `hindered` where another git command holds its index, or its disk is full
 */
export async function follow(repository: Repository, dir: string, step: Step): Promise<Followed> {
  const git = await doorTo(repository, dir);
  const isOwn = step.isOwn ?? (() => false);
  const tree = step.from ?? (await emptyTree(repository));
  const changes = await stepChanges(repository, step);
  // Whatever else differs, somebody has staged since.
  const isBehind = (paths: ReadonlySet<string>) => changes.some(({ path }) => paths.has(path));
  if (!isBehind(new Set(await indexDiffers(git, step.to)))) return { kind: 'followed' };
  await requireUnlocked(git);
  // What held it may have been the update of a process that was killed, which went on without it.
  const isNew = new Set(await indexDiffers(git, step.to));
  if (!isBehind(isNew)) return { kind: 'followed' };
  // What is as it is to be, an update before has entered that was cut short.
  const others = (await indexDiffers(git, tree)).filter((path) => !isOwn(path) && isNew.has(path));
  if (others.length > 0) {
    const reason = 'Somebody staged changes while its branch moved.';
    return { kind: 'stayed', blocked: { dir, reason, files: others } };
  }
  try {
    await dropOwnChanges(git, tree, changes, isOwn);
    // A file that was only touched is otherwise a changed one to `read-tree`.
    await git.run(['update-index', '-q', '--refresh']);
    const update = ['read-tree', '-m', '-u', tree, step.to];
    await git.run(update).catch(async (error: unknown) => {
      if (error instanceof DroverError) throw error;
      await takeUpWritten(git, repository.store, changes);
      await git.run(update);
    });
    return { kind: 'followed' };
  } catch (error) {
    // A full disk passes.
    if (error instanceof DroverError && error.code === 'hindered') throw error;
    const said = messageOf(error).trim().split('\n')[0] ?? '';
    return {
      kind: 'stayed',
      blocked: { dir, reason: `git could not update it: ${said}`, files: [] },
    };
  }
}

/** Puts files that Drover writes back to what the old commit has, so that git replaces them. */
async function dropOwnChanges(
  git: Git,
  tree: string,
  changes: readonly Change[],
  isOwn: (path: string) => boolean,
): Promise<void> {
  const staged = await indexDiffers(git, tree);
  const known = new Set(changes.flatMap(({ path, oldMode }) => (oldMode === ABSENT ? [] : [path])));
  const unstaged = (await git.run(['diff-files', '--name-only', '-z'])).split('\0');
  for (const path of new Set([...staged, ...unstaged, ...changes.map((change) => change.path)])) {
    if (path === '' || !isOwn(path)) continue;
    const isTracked = (await git.run(['ls-tree', '--name-only', '-z', tree, '--', path])) !== '';
    if (isTracked || known.has(path))
      await git.run(['restore', `--source=${tree}`, '--staged', '--worktree', '--', path]);
    else {
      await git.run(['rm', '--cached', '--quiet', '--force', '--ignore-unmatch', '--', path]);
      await rm(join(git.dir, path), { force: true });
    }
  }
}

const indexDiffers = async (git: Git, tree: string): Promise<string[]> =>
  (await git.run(['diff-index', '--cached', '--name-only', '--no-renames', '-z', tree, '--']))
    .split('\0')
    .filter(Boolean);

/** @throws DroverError `hindered` */
async function requireUnlocked(git: Git): Promise<void> {
  const lock = await lockIn(git);
  if (!lock) return;
  throw new DroverError(
    'hindered',
    `Another git command works in ${git.dir}, or left ${lock} behind.`,
    'Remove that if none is running.',
  );
}

/** The lock of the checkout's index, where it does not go away: git could not bring the files along. */
async function lockIn(git: Git): Promise<string | undefined> {
  const lock = (
    await git.run(['rev-parse', '--path-format=absolute', '--git-path', 'index.lock'])
  ).trim();
  for (const pause of LOCK_BACKOFF) {
    if (!existsSync(lock)) return undefined;
    await sleep(pause);
  }
  return existsSync(lock) ? lock : undefined;
}

/**
 * Tracked files that are not as HEAD has them, staged or not. What is in a submodule's folder stays as it is anyway, and a
 * file that Git LFS has fetched is no change, though git without filters may take it for one.
 */
async function changedFiles(repository: Repository, git: Git): Promise<string[]> {
  const args = ['status', '--porcelain=v1', '-z', '--untracked-files=no', '--no-renames'];
  const output = await git.run([...args, '--ignore-submodules=dirty']);
  const entries = output.split('\0').filter(Boolean);
  const paths = entries.map((entry) => entry.slice(3));
  // Changed where they lie, and not staged.
  const inPlace = new Set(
    entries.flatMap((entry) => (entry.startsWith(' M ') ? [entry.slice(3)] : [])),
  );
  if (inPlace.size === 0) return paths;
  const raw = await git.run(['diff-files', '--raw', '--abbrev=64', '-z']);
  const files = [...raw.matchAll(/:\S+ \S+ (\S+) \S+ M\0([^\0]+)\0/g)]
    .map(([, object, path]) => ({ path: path!, object: object! }))
    .filter(({ path }) => inPlace.has(path));
  const fetched = await fetchedFiles(repository, git.dir, files);
  return paths.filter((path) => !fetched.has(path));
}

async function stepChanges(repository: Repository, { from, to }: Step): Promise<Change[]> {
  const tree = from ?? (await emptyTree(repository));
  return changesBetween(repository, tree, to);
}

async function untrackedAt(
  dir: string,
  changes: readonly Change[],
  isOwn: (path: string) => boolean,
): Promise<string[]> {
  const found: string[] = [];
  for (const { path, oldMode } of changes) {
    if (oldMode !== ABSENT || isOwn(path)) continue;
    if (await lstat(join(dir, path)).catch(() => undefined)) found.push(path);
  }
  return found;
}

/** Where nobody has set the filter up, git itself takes the files as they are. */
async function filteredPaths(git: Git, changes: readonly Change[]): Promise<string[]> {
  const filters = await filtersOf(git);
  if (changes.length === 0 || filters.size === 0) return [];
  const input = changes.map(({ path }) => `${path}\0`).join('');
  const output = await git.run(['check-attr', '--stdin', '-z', 'filter'], { input });
  const fields = output.split('\0');
  return fields.filter((_, at) => at % 3 === 0 && filters.has(fields[at + 2] ?? ''));
}

/** Those that the configuration knows. The system's counts too, where Git LFS may be set up for everybody. */
async function filtersOf(git: Git): Promise<Set<string>> {
  const asked = await git.ask(['config', '--name-only', '-z', '--get-regexp', '^filter\\.'], {
    variables: { GIT_CONFIG_NOSYSTEM: '0' },
  });
  return new Set(
    asked.output.split('\0').flatMap((key) => /^filter\.(.+)\.[^.]+$/s.exec(key)?.[1] ?? []),
  );
}

/** Git in the checkout, with every filter that its configuration knows taken back. */
async function doorTo({ environment }: Repository, dir: string): Promise<Git> {
  const plain = gitIn(dir, { environment });
  const names = await filtersOf(plain);
  if (names.size === 0) return plain;
  const off = [...names].flatMap((name) => [
    '-c',
    `filter.${name}.clean=`,
    '-c',
    `filter.${name}.smudge=`,
    '-c',
    `filter.${name}.process=`,
    '-c',
    `filter.${name}.required=false`,
  ]);
  return {
    ...plain,
    run: (args, options) => plain.run([...off, ...args], options),
    ask: (args, options) => plain.ask([...off, ...args], options),
  };
}
