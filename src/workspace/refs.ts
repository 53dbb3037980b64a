/**
 * References: read, and moved all or none.
 *
 * Invariants kept here: 4 and 5. Every move names the value that it expects, and several moves are one
 * transaction, `update-ref --stdin` on this machine and `push --atomic` with leases to a remote: so whoever was
 * overtaken is told so, and nothing of what it wanted has happened.
 */
import { messageOf } from '../core/errors.js';
import { assertNotInUse } from './in-use.js';
import type { RefMove } from './ref-move.js';
import { readRefFiles, readRefFilesBelow } from './ref-files.js';
import { fetchRefs, pushMoves, type RemoteRepository } from './remote-refs.js';
import type { Repository } from './repository.js';

export type MoveResult = 'moved' | 'lost-race';

/** The values of those references that exist; where there is a remote, as it has them. */
export async function readRefs(
  repository: Repository,
  names: readonly string[],
): Promise<Map<string, string>> {
  const all = isRemote(repository)
    ? await fetchRefs(repository)
    : ((await readRefFiles(repository.gitDir, names)) ?? (await listed(repository, names)));
  // To git a name also stands for everything below it.
  return new Map(names.flatMap((name) => (all.has(name) ? [[name, all.get(name)!]] : [])));
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
  if (!isRemote(repository)) {
    const { gitDir } = repository;
    return (await readRefFilesBelow(gitDir, prefix)) ?? (await listed(repository, [prefix]));
  }
  return new Map([...(await fetchRefs(repository))].filter(([ref]) => ref.startsWith(prefix)));
}

const isRemote = (repository: Repository): repository is RemoteRepository =>
  repository.url !== undefined;

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
 * @throws DroverError `hindered` where a person has a goal's or a task's branch checked out, see in-use.ts
 */
export async function moveRefs(
  repository: Repository,
  moves: readonly RefMove[],
  reason = 'drover',
): Promise<MoveResult> {
  const all = [...moves, ...notesOf(moves)];
  return isRemote(repository) ? pushMoves(repository, all) : moveHere(repository, all, reason);
}

const GOAL_BRANCH = /^refs\/heads\/autonomous\/(goal-\d+)$/;
/** The reference that notes where Drover itself moved a goal's branch last. @param ref the branch's */
export const noteOfMove = (ref: string): string => ref.replace(GOAL_BRANCH, 'refs/drover/tips/$1');

/** Part of the same transaction, so whoever finds the branch elsewhere knows that it was not Drover. */
function notesOf(moves: readonly RefMove[]): RefMove[] {
  const named = new Set(moves.map(({ ref }) => ref));
  return moves
    .filter(({ ref, from, to }) => GOAL_BRANCH.test(ref) && from !== to)
    .map(({ ref, to }) => ({ ref: noteOfMove(ref), from: undefined, to }))
    .filter(({ ref }) => !named.has(ref));
}

/** Branches that Drover moves by itself; a base branch moves where a person or the project's settings say so. */
const OWN = /^refs\/heads\/autonomous\//;

async function moveHere(
  repository: Repository,
  moves: readonly RefMove[],
  reason: string,
): Promise<MoveResult> {
  const { git, format } = repository;
  const moving = moves.filter(({ ref, from, to }) => OWN.test(ref) && from !== to && from !== null);
  await assertNotInUse(
    repository,
    moving.map(({ ref }) => ref),
  );
  const none = '0'.repeat(format === 'sha256' ? 64 : 40);
  const lines = moves.map(({ ref, from, to }) => {
    if (from === to) return `verify ${ref} ${from ?? none}`;
    const expected = from === undefined ? '' : ` ${from ?? none}`;
    return to === null ? `delete ${ref}${expected}` : `update ${ref} ${to}${expected}`;
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
