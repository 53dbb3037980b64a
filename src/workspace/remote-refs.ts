/**
 * The references of a repository behind a URL, asked of the other side and moved there.
 *
 * Invariants kept here: 4 and 5. What is read is what the other side said to this very question. The clone's
 * references only follow, so that agents see them and the next fetch knows what is there already: processes that
 * fetch into one clone at once may hold each other up over them, and the slower one may put older values there.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../core/errors.js';
import { networkGit, unreachable } from './remote.js';
import type { RefMove } from './ref-move.js';
import type { Repository } from './repository.js';

export type RemoteRepository = Repository & { readonly url: string };

/** The branches and notes of Drover's own that both sides have. */
const SHARED_REFS = [
  '+refs/heads/autonomous/*:refs/heads/autonomous/*',
  '+refs/drover/*:refs/drover/*',
];

/** What git says where only the clone's references could not follow. */
const BEHIND =
  /cannot lock ref|unable to update local ref|could not delete reference|\.lock': File exists|\.lock is there/;
/** What it says where the objects did not come either. */
const INCOMPLETE = /did not send all necessary objects|fatal:/;

/** What the other side says where a reference went away while it named it. */
const MOVING = /not our ref/;
const TRIES = 5;

/** Drover's references there and the base branch, all of one moment; what they name is here afterwards. */
export async function fetchRefs(repository: RemoteRepository): Promise<Map<string, string>> {
  const { url, gitDir, base, environment } = repository;
  const specs = [`+refs/heads/${base}*:refs/heads/${base}*`, ...SHARED_REFS];
  // A git folder of this question's own, as a worktree has one: git writes there what it was told.
  const own = await mkdtemp(join(tmpdir(), 'drover-fetch-'));
  try {
    await writeFile(join(own, 'HEAD'), 'ref: refs/heads/none\n');
    await writeFile(join(own, 'commondir'), `${gitDir}\n`);
    const git = networkGit(repository.dir, environment, { GIT_DIR: own });
    for (let tries = 0; ; tries += 1) {
      const said = await git.run(['fetch', '--no-tags', '--prune', '--', url, ...specs]).then(
        () => undefined,
        (error: unknown) => error,
      );
      const isThere =
        said === undefined || (BEHIND.test(messageOf(said)) && !INCOMPLETE.test(messageOf(said)));
      if (isThere) return parseFetched(await readFile(join(own, 'FETCH_HEAD'), 'utf8'));
      if (tries >= TRIES || !MOVING.test(messageOf(said))) throw unreachable(url, said);
    }
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** A line is an object, what it is for, and `branch 'main' of URL` or `'refs/drover/…' of URL`. */
function parseFetched(text: string): Map<string, string> {
  const lines = text.matchAll(/^([0-9a-f]+)\t[^\t]*\t(branch )?'(.+)' of /gm);
  return new Map(
    [...lines].map(([, id, branch, name]) => [branch ? `refs/heads/${name}` : name!, id!]),
  );
}

/**
 * Makes all of the moves or none of them. One that changes nothing is compared with what the other side says first. So is
 * one to where its reference is already, lease or not: somebody else was faster, and what moved beside it is taken back.
 */
export async function pushMoves(
  repository: RemoteRepository,
  moves: readonly RefMove[],
): Promise<'moved' | 'lost-race'> {
  const pushed = await push(repository, moves);
  if (pushed === 'lost-race') return pushed;
  const changes = moves.filter(({ from, to }) => from !== undefined && from !== to);
  const made = changes.filter(({ ref }) => !pushed.wereThere.has(ref));
  if (made.length === changes.length) return 'moved';
  const back = made.map(({ ref, from, to }) => ({ ref, from: to, to: from! }));
  if (back.length > 0) await push(repository, back);
  return 'lost-race';
}

/** @returns the references that were there already where they were to go */
async function push(
  { url, dir, environment }: RemoteRepository,
  moves: readonly RefMove[],
): Promise<{ readonly wereThere: ReadonlySet<string> } | 'lost-race'> {
  const leases = moves
    .filter(({ from }) => from !== undefined)
    .map(({ ref, from }) => `--force-with-lease=${ref}:${from ?? ''}`);
  const specs = moves.map(
    ({ ref, from, to }) => `${from === undefined ? '+' : ''}${to ?? ''}:${ref}`,
  );
  try {
    const args = ['push', '--atomic', '--porcelain', '--no-verify', '--no-signed', ...leases];
    const said = await networkGit(dir, environment).run([...args, '--', url, ...specs]);
    return { wereThere: new Set([...said.matchAll(UP_TO_DATE)].map(([, ref]) => ref!)) };
  } catch (error) {
    // A server that is asked twice at once answers the second with a failure to lock.
    if (/stale info|\[rejected\]|failed to update ref|cannot lock ref/.test(messageOf(error)))
      return 'lost-race';
    throw unreachable(url, error);
  }
}

/** A line is a flag, `from:to` and a summary. */
const UP_TO_DATE = /^=\t[^\t]*:([^\t]+)\t/gm;
