/**
 * The only door to git.
 *
 * Kept here: a repository's own configuration starts no program of its choosing (hooks, fsmonitor, editor,
 * signing, credential helpers, ways to other machines), nothing asks a terminal, and commands on one repository run one at a time:
 * git's lock files make parallel ones fail.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { simpleGit } from 'simple-git';
import { DroverError, messageOf } from '../core/errors.js';
import { shellWord } from '../core/shell-word.js';

export interface Author {
  readonly name: string;
  readonly email: string;
}

export const DROVER_AUTHOR: Author = { name: 'Drover', email: 'drover@localhost' };

/** Variables to take `PATH`, `HOME`, `GIT_SSH` and those of `REACHING` from; no others are looked at. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface GitOptions {
  /** Default: the folders that every system has, and no home, so no user's configuration either. */
  readonly environment?: Environment;
  /** Milliseconds without output after which a command is ended; default one minute. */
  readonly timeout?: number;
  /** Further variables for git itself, such as `GIT_OBJECT_DIRECTORY`. */
  readonly variables?: Readonly<Record<string, string>>;
}

export interface RunOptions {
  /** Author and committer; Drover itself unless given. */
  readonly author?: Author;
  /** For standard input. */
  readonly input?: string;
  /** Variables of this one command, above those of the door. */
  readonly variables?: Readonly<Record<string, string>>;
}

export interface Outcome {
  readonly status: number;
  readonly output: string;
}

/** Git in one directory. */
export interface Git {
  readonly dir: string;
  /**
   * Runs one command and returns its output.
   * @throws DroverError `not-found` (no git), `bad-input` (no repository), `hindered` (locked, after some
   *   retries; a full disk), `timeout`; simple-git's GitError for what a command itself complains about.
   */
  run(args: readonly string[], options?: RunOptions): Promise<string>;
  /** As `run`, for a command that says something by ending with status 1. */
  ask(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Starts a command that is talked with for as long as whoever started it likes, and ended by them. */
  start(args: readonly string[]): ChildProcessWithoutNullStreams;
  /** What went wrong, in words for people where it is one of the known troubles. */
  explain(error: unknown): unknown;
  /** Runs `work` while no other work of this process runs in the same directory; not to be nested. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
}

const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';
/** What the user has set up in the environment for reaching other machines. */
const REACHING = [
  'GIT_SSH_COMMAND',
  'GIT_SSH_VARIANT',
  'SSH_AUTH_SOCK',
  ...['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [
    name,
    name.toUpperCase(),
  ]),
];
/** Milliseconds between tries while another git command holds a lock: about two seconds in all. */
export const LOCK_BACKOFF = [50, 100, 200, 400, 600, 800];

const HARDENED = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.editor=false',
  'credential.helper=',
  // A remote of this kind is a command.
  'protocol.ext.allow=never',
  'commit.gpgSign=false',
  'tag.gpgSign=false',
  // Both leave a process behind that outlives ours; the user's own commands tidy up.
  'gc.auto=0',
  'maintenance.auto=false',
  // Who waits for a lock is `attempt` below.
  'core.packedRefsTimeout=100',
];

/** The categories that HARDENED itself falls into; simple-git refuses them otherwise. */
const UNSAFE = {
  allowUnsafeHooksPath: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeEditor: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeAskPass: true,
  allowUnsafeGitProxy: true,
  // To take the filters of a repository back.
  allowUnsafeFilter: true,
  // The user's own, from the environment.
  allowUnsafeSshCommand: true,
};

/** Directory to the end of the work that was asked for last. */
const queues = new Map<string, Promise<unknown>>();

/** @param dir an existing directory; git looks for a repository in it, not above it. */
export function gitIn(dir: string, options: GitOptions = {}): Git {
  const { environment = {}, timeout = 60_000 } = options;
  const always: Record<string, string> = {
    ...childEnvironment(dir, environment),
    ...options.variables,
  };
  // Objects may lie on another disk than where git runs.
  const told = (error: unknown): unknown =>
    explain(error, dir, timeout, always['GIT_OBJECT_DIRECTORY'] ?? dir);
  const once = async (
    args: readonly string[],
    { author = DROVER_AUTHOR, input, variables }: RunOptions,
    highest: number,
  ): Promise<Outcome> => {
    const env = { ...always, ...variables };
    let status = 0;
    const git = simpleGit({
      baseDir: dir,
      config: [...HARDENED, `user.name=${author.name}`, `user.email=${author.email}`],
      unsafe: UNSAFE,
      allowEnvironment: Object.keys(env),
      timeout: { block: timeout },
      // An empty text would leave standard input open, an empty buffer closes it.
      ...(input !== undefined && { input: () => input || Buffer.alloc(0) }),
      errors: (error, { exitCode }) => {
        status = exitCode;
        if (exitCode > 0 && exitCode <= highest) return undefined;
        // simple-git takes a failure without a word on standard error for a success.
        if (error || exitCode === 0) return error;
        return new Error(`git ${args[0]} ended with status ${exitCode}`);
      },
    });
    const output = await git.env(env).raw(['--literal-pathspecs', ...args]);
    return { status, output };
  };
  const attempt = async (
    args: readonly string[],
    how: RunOptions,
    highest: number,
  ): Promise<Outcome> => {
    for (let tries = 0; ; tries += 1) {
      try {
        return await once(args, how, highest);
      } catch (error) {
        const pause = LOCK_BACKOFF[tries];
        if (!lockFileIn(error) || pause === undefined) throw told(error);
        await sleep(pause);
      }
    }
  };
  return {
    dir,
    run: async (args, how = {}) => (await attempt(args, how, 0)).output,
    ask: (args, how = {}) => attempt(args, how, 1),
    start: (args) => {
      const identity = [`user.name=${DROVER_AUTHOR.name}`, `user.email=${DROVER_AUTHOR.email}`];
      const config = [...HARDENED, ...identity].flatMap((setting) => ['-c', setting]);
      return spawn('git', [...config, '--literal-pathspecs', ...args], { cwd: dir, env: always });
    },
    explain: told,
    exclusive: (work) => enqueue(dir, work),
  };
}

function childEnvironment(dir: string, environment: Environment): Record<string, string> {
  const given = ['HOME', ...REACHING].flatMap((name) => {
    const value = environment[name];
    return value ? [[name, value] as const] : [];
  });
  return {
    PATH: environment['PATH'] || DEFAULT_PATH,
    // What stands here, git does not look up in a repository's configuration: `core.sshCommand` and the like.
    GIT_SSH_COMMAND: environment['GIT_SSH'] ? shellWord(environment['GIT_SSH']) : 'ssh',
    GIT_ASKPASS: '',
    GIT_PROXY_COMMAND: '',
    ...Object.fromEntries(given),
    // The messages that `explain` reads are the untranslated ones.
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    // A folder that is no repository must not be taken for a part of one that it lies in.
    GIT_CEILING_DIRECTORIES: dirname(dir),
    GIT_OPTIONAL_LOCKS: '0',
  };
}

async function enqueue<T>(dir: string, work: () => Promise<T>): Promise<T> {
  const before = queues.get(dir) ?? Promise.resolve();
  const mine = before.then(work, work);
  queues.set(dir, mine);
  try {
    return await mine;
  } finally {
    if (queues.get(dir) === mine) queues.delete(dir);
  }
}

/** The lock file that stopped a command, or undefined where something else did. */
const lockFileIn = (error: unknown): string | undefined =>
  /Unable to create '([^']+\.lock)': File exists/.exec(messageOf(error))?.[1];

/** Of what it has opened and cannot write git does not always say why. */
const UNWRITTEN =
  /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT|couldn't write '[^']+\.lock'|unable to write new index file|unable to write file/;

export const lockedBy = (lock: string, dir: string, cause?: ErrorOptions): DroverError =>
  new DroverError(
    'hindered',
    `Another git command holds the repository in ${dir}: ${lock} is there.`,
    `Wait for it to end. If none is running any more, remove ${lock}.`,
    cause,
  );

function explain(error: unknown, dir: string, timeout: number, written: string): unknown {
  const message = messageOf(error);
  const cause = { cause: error };
  const lock = lockFileIn(error);
  if (lock !== undefined) return lockedBy(lock, dir, cause);
  if (/spawn git ENOENT/.test(message)) {
    return new DroverError(
      'not-found',
      'git was not found.',
      'Install git 2.28 or later, on the PATH.',
      cause,
    );
  }
  if (/not a git repository/.test(message)) {
    return new DroverError(
      'bad-input',
      `${dir} is no git repository.`,
      'Make it one with `git init` and a first commit, or name another folder.',
      cause,
    );
  }
  if (/detected dubious ownership/.test(message)) {
    return new DroverError(
      'bad-input',
      `git does not trust ${dir}, because another user owns it.`,
      `Give this user the folder, or run \`git config --global --add safe.directory ${dir}\`.`,
      cause,
    );
  }
  if (UNWRITTEN.test(message)) {
    return new DroverError(
      'hindered',
      `The disk is full or broken: git could not write in ${written}.`,
      'Make room on it; nothing is lost.',
      cause,
    );
  }
  if (/block timeout reached/.test(message)) {
    return new DroverError(
      'timeout',
      `A git command in ${dir} said nothing for ${timeout / 1_000} s and was ended.`,
      'See whether the disk answers and no other program holds the repository.',
      cause,
    );
  }
  return error;
}
