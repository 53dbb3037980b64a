/**
 * Runs a command inside bubblewrap: it writes in its worktree alone, does not see what is hidden from it, and has
 * no network unless it is given one.
 *
 * What this does not stop: reading what is not hidden, using the processor and the memory, and whatever a kernel
 * bug allows. It is a fence against mistakes and rash commands, not a prison for hostile ones.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { DroverError } from '../core/errors.js';

/** How commands of a project run. */
export interface SandboxSettings {
  /** `off`: none. `auto`: where bubblewrap works. `require`: no command runs without it. */
  readonly mode: 'off' | 'auto' | 'require';
  readonly network: boolean;
  /** Absolute paths that commands do not see, and paths below the home folder that begin with `~/`. */
  readonly hide: readonly string[];
  /** Paths besides the worktree that commands may write, written likewise. */
  readonly write: readonly string[];
}

export interface Sandbox {
  /** The program, from `findSandbox`. */
  readonly program: string;
  /** The folder to work in, which may be written. */
  readonly worktree: string;
  /** Whether the command may use the network. */
  readonly network: boolean;
  /** Absolute paths that it does not see; those that are not there do no harm. */
  readonly hide: readonly string[];
  /** Absolute paths besides the worktree that it may write, such as a cache. */
  readonly write: readonly string[];
  /** Which of the paths are folders; the others are hidden as files. */
  readonly isFolder: (path: string) => boolean;
}

/** The argument list with which `command` runs inside; its first entry is the program. */
export function sandboxArguments(
  { program, worktree, network, hide, write, isFolder }: Sandbox,
  command: readonly string[],
): string[] {
  return [
    program,
    '--die-with-parent',
    // What root may do besides, such as mounting, would undo all that stands below.
    '--cap-drop',
    'ALL',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    ...(network ? [] : ['--unshare-net']),
    '--ro-bind',
    '/',
    '/',
    '--dev',
    '/dev',
    '--proc',
    '/proc',
    '--tmpfs',
    '/tmp',
    // Later ones stand above earlier ones: what is hidden may hold the worktree.
    ...hide.flatMap((path) =>
      isFolder(path) ? ['--tmpfs', path] : ['--ro-bind-try', '/dev/null', path],
    ),
    ...write.flatMap((path) => ['--bind-try', path, path]),
    '--bind',
    worktree,
    worktree,
    '--chdir',
    worktree,
    '--',
    ...command,
  ];
}

/** What to do with a command's argument list, or why it runs as it is. */
export type Fence =
  | { readonly wrap: (argv: readonly string[]) => readonly string[] }
  | { readonly wrap?: never; readonly reason?: string };

/**
 * @param env the command's own environment, of which PATH and HOME are looked at
 * @throws DroverError `not-found` where a sandbox is required and there is none
 */
export function fenceFor(
  { mode, network, hide, write }: SandboxSettings,
  worktree: string,
  env: Readonly<Record<string, string | undefined>>,
): Fence {
  if (mode === 'off') return {};
  const found = knownSandbox(env['PATH'] ?? '');
  if (found.program === undefined) {
    if (mode === 'require') throw sandboxMissing(found.reason);
    return { reason: found.reason };
  }
  const absolute = (path: string): string => path.replace(/^~(?=\/)/, env['HOME'] ?? '~');
  const sandbox: Sandbox = {
    program: found.program,
    worktree,
    network,
    // What is not there cannot be covered, and need not be.
    hide: hide.flatMap((path) => realPath(absolute(path))),
    write: write.map(absolute),
    isFolder: (path) => statSync(path).isDirectory(),
  };
  return { wrap: (argv) => sandboxArguments(sandbox, argv) };
}

function realPath(path: string): string[] {
  try {
    return [realpathSync(path)];
  } catch {
    return [];
  }
}

const probes = new Map<string, SandboxProbe>();

/** Looked for once: it takes a process, and hardly ever changes. */
function knownSandbox(path: string): SandboxProbe {
  const known = probes.get(path) ?? findSandbox(path);
  probes.set(path, known);
  return known;
}

/** Why there is no sandbox, or the program that makes one. */
export type SandboxProbe =
  | { readonly program: string }
  | { readonly program?: never; readonly reason: string };

/** Looks for `bwrap` on a PATH, and tries it: some systems forbid what it needs. */
export function findSandbox(path: string): SandboxProbe {
  const program = path
    .split(delimiter)
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, 'bwrap'))
    .find(isExecutable);
  if (program === undefined) return { reason: 'bubblewrap (bwrap) is not on the PATH' };
  const probe = ['--ro-bind', '/', '/', '--unshare-pid', '--unshare-net', '--proc', '/proc'];
  const tried = spawnSync(program, [...probe, '--', 'true'], {
    encoding: 'utf8',
    timeout: 10_000,
    env: { PATH: path },
  });
  if (tried.status === 0) return { program };
  const said = tried.stderr?.trim().split('\n').at(-1) || 'it does not run';
  return { reason: `bubblewrap does not work here: ${said}` };
}

/** @returns what a command is told that may run only inside a sandbox */
export const sandboxMissing = (reason: string): DroverError =>
  new DroverError(
    'not-found',
    `The project requires a sandbox, and ${reason}.`,
    'Install bubblewrap (apt-get install bubblewrap), allow it user namespaces, or set `sandbox.mode` to `auto` or `off` in the settings of the project.',
  );

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
