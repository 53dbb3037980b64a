/**
 * References: read, and moved all or none.
 *
 * Invariants kept here: 4 and 5. Every move names the value that it expects, and several moves are one
 * transaction, `update-ref --stdin` on this machine and `push --atomic` with leases to a remote: so whoever was
 * overtaken is told so, and nothing of what it wanted has happened.
 */
import { messageOf } from '../core/errors.js';
import { gitIn } from './git.js';
import { readRefFiles, readRefFilesBelow } from './ref-files.js';
import { NETWORK_PATIENCE, SHARED_REFS, unreachable } from './remote.js';
import type { Repository } from './repository.js';

export interface RefMove {
  /** In full, such as `refs/heads/main`. */
  readonly ref: string;
  /** The object that it must name now; null where it must not exist. */
  readonly from: string | null;
  /** The object that it is to name; null to remove it, the same as `from` only to make sure of it. */
  readonly to: string | null;
}

export type MoveResult = 'moved' | 'lost-race';

/** The values of those references that exist. Asks the remote first, where there is one. */
export async function readRefs(
  repository: Repository,
  names: readonly string[],
): Promise<Map<string, string>> {
  await refresh(repository);
  return localRefs(repository, names);
}

/** The value of one reference, undefined where it does not exist. */
export async function readRef(repository: Repository, ref: string): Promise<string | undefined> {
  return (await readRefs(repository, [ref])).get(ref);
}

/** Every reference below a prefix, which ends with a slash. */
export async function refsBelow(
  repository: Repository,
  prefix: string,
): Promise<Map<string, string>> {
  await refresh(repository);
  return (
    (await readRefFilesBelow(repository.gitDir, prefix)) ?? (await listed(repository, [prefix]))
  );
}

async function localRefs(
  repository: Repository,
  names: readonly string[],
): Promise<Map<string, string>> {
  const plain = await readRefFiles(repository.gitDir, names);
  if (plain) return plain;
  const all = await listed(repository, names);
  // A pattern also stands for everything below it.
  return new Map(names.flatMap((name) => (all.has(name) ? [[name, all.get(name)!]] : [])));
}

async function listed(
  { git }: Repository,
  patterns: readonly string[],
): Promise<Map<string, string>> {
  const format = '--format=%(refname) %(objectname)';
  const output = await git.run(['for-each-ref', format, '--', ...patterns]);
  return new Map(
    output
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' ') as [string, string]),
  );
}

/**
 * Makes all of the moves or none of them.
 * @returns `lost-race` where a reference does not have the value that was expected
 */
export async function moveRefs(
  repository: Repository,
  moves: readonly RefMove[],
  reason = 'drover',
): Promise<MoveResult> {
  if (repository.url === undefined) return moveHere(repository, moves, reason);
  const changes = moves.filter(({ from, to }) => from !== to);
  const kept = moves.filter(({ from, to }) => from === to);
  // A push cannot make sure of what it does not change, so that much is compared beforehand.
  const now = await readRefs(
    repository,
    kept.map(({ ref }) => ref),
  );
  if (kept.some(({ ref, from }) => (now.get(ref) ?? null) !== from)) return 'lost-race';
  if (changes.length > 0 && (await pushMoves(repository, repository.url, changes)) === 'lost-race')
    return 'lost-race';
  await refresh(repository);
  return 'moved';
}

async function moveHere(
  { git, format }: Repository,
  moves: readonly RefMove[],
  reason: string,
): Promise<MoveResult> {
  const none = '0'.repeat(format === 'sha256' ? 64 : 40);
  const lines = moves.map(({ ref, from, to }) => {
    if (from === to) return `verify ${ref} ${from ?? none}`;
    return to === null ? `delete ${ref} ${from ?? none}` : `update ${ref} ${to} ${from ?? none}`;
  });
  const input = `${['start', ...lines, 'prepare', 'commit'].join('\n')}\n`;
  try {
    await git.run(['update-ref', '--no-deref', '-m', reason, '--stdin'], { input });
    return 'moved';
  } catch (error) {
    if (OVERTAKEN.test(messageOf(error))) return 'lost-race';
    throw error;
  }
}

const OVERTAKEN =
  /but expected|reference already exists|unable to resolve reference|reference is missing/;

async function pushMoves(
  repository: Repository,
  url: string,
  moves: readonly RefMove[],
): Promise<MoveResult> {
  const leases = moves.map(({ ref, from }) => `--force-with-lease=${ref}:${from ?? ''}`);
  const specs = moves.map(({ ref, to }) => `${to ?? ''}:${ref}`);
  const git = gitIn(repository.dir, {
    environment: repository.environment,
    timeout: NETWORK_PATIENCE,
  });
  try {
    const args = ['push', '--atomic', '--porcelain', '--no-verify', '--no-signed', ...leases];
    await git.run([...args, '--', url, ...specs]);
    return 'moved';
  } catch (error) {
    // A server that is asked twice at once answers the second with a failure to lock.
    if (/stale info|\[rejected\]|failed to update ref|cannot lock ref/.test(messageOf(error)))
      return 'lost-race';
    throw unreachable(url, error);
  }
}

/** Brings the clone's references to where the remote's are; nothing to do for a repository on this machine. */
export async function refresh({ url, dir, base, environment }: Repository): Promise<void> {
  if (url === undefined) return;
  const git = gitIn(dir, { environment, timeout: NETWORK_PATIENCE });
  const specs = [`+refs/heads/${base}*:refs/heads/${base}*`, ...SHARED_REFS];
  try {
    await git.run(['fetch', '--no-tags', '--prune', '--no-write-fetch-head', '--', url, ...specs]);
  } catch (error) {
    throw unreachable(url, error);
  }
}
