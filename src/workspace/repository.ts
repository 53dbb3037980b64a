/**
 * A project's repository: a checkout, a bare repository or one behind a URL, all used the same way.
 *
 * A repository on this machine is worked on in place. One behind a URL gets a bare clone of Drover's own below
 * the data directory, which holds only the branches that matter; its references follow the remote's, and moves
 * happen there first. See `refs.ts` for reading and moving references.
 */
import { realpath } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { DroverError, messageOf } from '../core/errors.js';
import { isName, NAME_RULE } from '../core/ids.js';
import { type Environment, type Git, gitIn } from './git.js';
import { type ObjectFormat, openObjectDoor } from './object-door.js';
import { ObjectStore } from './object-store.js';
import { promisorOf } from './promisor.js';
import { cloneOf, isUrl } from './remote.js';

export interface RepositoryPlace {
  /** The project's name. */
  readonly name: string;
  /** An absolute path, or a URL that git knows. */
  readonly location: string;
  /** Absolute; worktrees and clones are kept below it. */
  readonly dataDir: string;
  /** Default: the branch that HEAD names. */
  readonly base?: string | undefined;
  readonly environment?: Environment;
}

export interface Repository {
  readonly name: string;
  readonly kind: 'checkout' | 'bare' | 'remote';
  /** The repository on this machine: what was named, or the clone of it. */
  readonly dir: string;
  /** Absolute path of the git folder that all its worktrees share. */
  readonly gitDir: string;
  /** The URL of a `remote`. */
  readonly url?: string;
  readonly format: ObjectFormat;
  /** The branch that goals start from and land in; it may not exist yet. */
  readonly base: string;
  /** Where this project's worktrees are. */
  readonly worktreesDir: string;
  readonly environment: Environment;
  /** For references. */
  readonly git: Git;
  /** For commands on objects: checkouts, merges, differences. */
  readonly objects: Git;
  /** For single objects. */
  readonly store: ObjectStore;
}

/**
 * @throws DroverError `bad-input` (no repository, no usable base branch, a git too old), `not-found` (no such
 *   folder), and what git's door throws
 */
export async function openRepository(place: RepositoryPlace): Promise<Repository> {
  const { name, location, dataDir, environment = {} } = place;
  if (!isName(name)) {
    throw new DroverError(
      'bad-input',
      `${JSON.stringify(name.slice(0, 100))} cannot be a project's name.`,
      `Choose ${NAME_RULE}.`,
    );
  }
  const url = isUrl(location) ? location : undefined;
  const dir =
    url === undefined
      ? await localFolder(location)
      : await cloneOf({ name, url, dataDir, environment });
  const git = gitIn(dir, { environment });
  const { gitDir, bare, format } = await describe(git);
  const promisor = url ?? (await promisorOf(git));
  const door = promisor === undefined ? `${format}.git` : `${name}.git`;
  const objects = await openObjectDoor(
    join(dataDir, 'plumbing', door),
    { gitDir, format, ...(promisor !== undefined && { promisor }) },
    { environment },
  );
  return {
    name,
    kind: url !== undefined ? 'remote' : bare ? 'bare' : 'checkout',
    dir,
    gitDir,
    ...(url !== undefined && { url }),
    format,
    base: await baseOf(git, place),
    worktreesDir: join(dataDir, 'worktrees', name),
    environment,
    git,
    objects,
    store: new ObjectStore(objects, { gitDir, format }),
  };
}

async function localFolder(location: string): Promise<string> {
  if (!isAbsolute(location)) {
    throw new DroverError(
      'bad-input',
      `The repository ${JSON.stringify(location)} is neither an absolute path nor a URL.`,
      'Give the whole path, or a URL such as https://host/name.git.',
    );
  }
  try {
    return await realpath(location);
  } catch (error) {
    throw new DroverError(
      'not-found',
      `There is no repository in ${location}: ${messageOf(error)}.`,
      'Correct the path, or give this user access to it.',
      { cause: error },
    );
  }
}

async function describe(
  git: Git,
): Promise<{ gitDir: string; bare: boolean; format: ObjectFormat }> {
  const asked = ['--path-format=absolute', '--git-common-dir', '--is-bare-repository'];
  const [gitDir, bare, format] = (
    await git.run(['rev-parse', ...asked, '--show-object-format'])
  ).split('\n');
  const storage = await git.ask(['config', '--get', 'extensions.refStorage']);
  if (storage.status === 0 && storage.output.trim() !== 'files') {
    throw new DroverError(
      'bad-input',
      `${git.dir} keeps its references as ${storage.output.trim()}, which Drover cannot write yet.`,
      'Convert it with `git refs migrate --ref-format=files`.',
    );
  }
  return {
    gitDir: gitDir!,
    bare: bare === 'true',
    format: format === 'sha256' ? 'sha256' : 'sha1',
  };
}

async function baseOf(git: Git, { base, location }: RepositoryPlace): Promise<string> {
  if (base !== undefined) {
    const { status } = await git
      .ask(['check-ref-format', '--branch', base])
      .catch(() => ({ status: 1 }));
    if (status === 0 && !base.startsWith('@')) return base;
    throw new DroverError(
      'bad-input',
      `${JSON.stringify(base)} cannot be a branch's name.`,
      'Name a branch of the repository as `base`.',
    );
  }
  const head = await git.ask(['symbolic-ref', '--quiet', '--short', 'HEAD']);
  if (head.status === 0) return head.output.trim();
  throw new DroverError(
    'bad-input',
    `${location} has no branch checked out, so its base branch is not known.`,
    'Name the branch as `base`, or check one out.',
  );
}
