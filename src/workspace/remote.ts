/**
 * A repository behind a URL: Drover's own bare clone of it, and what goes over the network.
 *
 * The clone is partial where the server can do that, so files are fetched when they are needed. Everything names
 * the URL itself and no remote of the clone's configuration, which agents in its worktrees could change.
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { DroverError, messageOf } from '../core/errors.js';
import { type Environment, type Git, gitIn } from './git.js';

export interface RemotePlace {
  readonly name: string;
  readonly url: string;
  readonly dataDir: string;
  readonly environment: Environment;
}

/** Milliseconds without a word from the other side. */
const NETWORK_PATIENCE = 300_000;

/** Git in a folder, with patience for the other side. */
export const networkGit = (
  dir: string,
  environment: Environment,
  variables: Readonly<Record<string, string>> = {},
): Git => gitIn(dir, { environment, variables, timeout: NETWORK_PATIENCE });

/** ssh, https, http, git and file URLs, and `host:path`; transports that run a program of choice are none. */
export const isUrl = (location: string): boolean =>
  /^(?:ssh|https?|git|file):\/\/[^-]/.test(location) ||
  /^(?:[\w.-]+@)?[A-Za-z0-9][\w.-]*:(?!\/\/|:)[^-]/.test(location);

export const cloneDir = (dataDir: string, name: string): string =>
  join(dataDir, 'repositories', `${name}.git`);

/** For people to read. */
export const withoutPassword = (url: string): string => url.replace(/^(\w+:\/\/)[^/@]*@/, '$1');

/**
 * As much history as there is. Git 2.39 that is not told so looks up where a shallow repository's history ends among
 * objects that a partial clone may fetch later, and so starts itself again and again without end.
 */
const WHOLE_HISTORY = ['--depth=2147483647', '--no-single-branch'];

/** The folder of the clone, which is made where there is none; nothing is fetched into one that is there. */
export async function cloneOf({ name, url, dataDir, environment }: RemotePlace): Promise<string> {
  const dir = cloneDir(dataDir, name);
  const parent = dirname(dir);
  if (existsSync(join(dir, 'HEAD'))) return dir;
  await mkdir(parent, { recursive: true });
  const aside = join(parent, `.${name}-${randomUUID()}`);
  const git = networkGit(parent, environment);
  const clone = (...how: string[]): Promise<string> =>
    git.run(['clone', '--bare', '--no-tags', ...how, ...WHOLE_HISTORY, '--', url, aside]);
  try {
    await clone('--filter=blob:none');
    if (!(await givesObjectsLater(networkGit(aside, environment)))) {
      await rm(aside, { recursive: true, force: true });
      await clone();
    }
    await rename(aside, dir);
  } catch (error) {
    if (!existsSync(join(dir, 'HEAD'))) throw unreachable(url, error);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return dir;
}

/**
 * Whether the other side hands out single objects. Some leave them out of a clone and do so only in git's newer protocol,
 * which an sshd does not pass on unless it is told to (`AcceptEnv GIT_PROTOCOL`).
 */
async function givesObjectsLater(git: Git): Promise<boolean> {
  const walk = ['rev-list', '--objects', '--missing=print', '--max-count=1', 'HEAD', '--'];
  // Where there is no commit yet, nothing was left out.
  const listed = await git.run(walk).catch(() => '');
  const missing = /^\?(\S+)$/m.exec(listed)?.[1];
  if (missing === undefined) return true;
  try {
    await git.run(['cat-file', '-e', missing]);
    return true;
  } catch (error) {
    if (/unadvertised object|not our ref/.test(messageOf(error))) return false;
    throw error;
  }
}

/** Lines that say nothing of what is wrong. */
const IDLE_TALK =
  /^(?:Cloning into |To |From |Done$|Please make sure |and the repository exists|error: failed to push some refs)/;
/** Characters of what git and the other side said. */
const LONGEST = 1_000;

/**
 * The other side was not there: a name, a network, a server that is down. It may be there again by itself. Git, which a
 * signal may end where the other side has closed the connection, says no more of it at times than the last two.
 */
const AWAY =
  /Could not resolve host|unable to connect|Connection (?:refused|reset|closed|timed out)|Operation timed out|No route to host|Network is unreachable|hung up|early EOF|Empty reply|Broken pipe|returned error: 5\d\d|ended with status null|^fatal: Could not read from remote repository\.$/i;
/** It said what it does not like, so it was there. */
const ANSWERED = /^remote: |remote error: /m;
/** Somebody has the branch checked out on the other side. */
const IN_USE = /branch is currently checked out|deletion of the current branch/;

/**
 * @returns an error that names the URL without the password that may be in it: `hindered` where waiting may help,
 *   `not-found` else
 */
export function unreachable(url: string, error: unknown): unknown {
  if (error instanceof DroverError) return error;
  const shown = withoutPassword(url);
  const message = messageOf(error).replaceAll(url, shown);
  const said = message
    .split('\n')
    // A reference that the other side did not take: why stands at the end.
    .map((line) => line.replace(/^!\t\S*:/, '').trim())
    .filter((line) => line !== '' && !IDLE_TALK.test(line));
  const isInUse = IN_USE.test(message);
  const isAway = AWAY.test(said.join('; ')) && !ANSWERED.test(message);
  return new DroverError(
    isAway || isInUse ? 'hindered' : 'not-found',
    `The repository ${shown} did not do what was asked: ${said.join('; ').slice(0, LONGEST)}`,
    isInUse
      ? 'Switch to another branch there, or use a bare repository.'
      : 'See whether the address is right, it can be reached, and this user may read and push there.',
    { cause: error },
  );
}
