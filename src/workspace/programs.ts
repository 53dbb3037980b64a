/**
 * What git would run, or read its settings from, in a repository: settings that name programs, and hooks.
 *
 * Drover's own git does not look at them (see git.ts); the git of people does. They are read as plain files, and git is
 * asked what they mean only where they changed.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Repository } from './repository.js';
import type { Worktree } from './worktree-record.js';

export interface Programs {
  /** The text of each configuration file that is there. */
  readonly config: ReadonlyMap<string, string>;
  /** A digest of each hook that is not git's example. */
  readonly hooks: ReadonlyMap<string, string>;
}

export interface ProgramChange {
  readonly kind: 'setting' | 'hook';
  /** A setting's key, or a hook's name. */
  readonly name: string;
  /** The setting's value or the hook's digest now; null where it is gone. */
  readonly value: string | null;
}

/** @param worktree whose own configuration counts too */
export async function readPrograms(
  { gitDir }: Repository,
  worktree?: Pick<Worktree, 'adminDir'>,
): Promise<Programs> {
  const files = ['config', 'config.worktree'].map((name) => join(gitDir, name));
  if (worktree) files.push(join(worktree.adminDir, 'config.worktree'));
  const hooks = join(gitDir, 'hooks');
  const names = (await readdir(hooks).catch(() => [])).filter((name) => !name.endsWith('.sample'));
  return {
    config: await contents(files.map((file) => [file, file])),
    hooks: new Map(
      [...(await contents(names.map((name) => [name, join(hooks, name)])))].map(([name, text]) => [
        name,
        createHash('sha256').update(text).digest('hex'),
      ]),
    ),
  };
}

/** What is there now and was not before, or otherwise; and what is gone. */
export async function programChanges(
  repository: Repository,
  before: Programs,
  now: Programs,
): Promise<ProgramChange[]> {
  const changes: ProgramChange[] = [];
  for (const file of new Set([...before.config.keys(), ...now.config.keys()])) {
    const [old, text] = [before.config.get(file) ?? '', now.config.get(file) ?? ''];
    if (old === text) continue;
    const [had, has] = await Promise.all([old, text].map((each) => settingsIn(repository, each)));
    changes.push(...changed('setting', had!, has!));
  }
  return [...changes, ...changed('hook', before.hooks, now.hooks)];
}

/** Settings that name a program, or a place to read more of them from; a key that is there several times has all of its values. */
export async function programSettings(repository: Repository): Promise<Map<string, string>> {
  const { config } = await readPrograms(repository);
  const all = await Promise.all([...config.values()].map((text) => settingsIn(repository, text)));
  return new Map(all.flatMap((settings) => [...settings]));
}

async function settingsIn({ git }: Repository, text: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const args = ['config', '--file', '-', '--no-includes', '--list', '-z'];
  const listed = await git.run(args, { input: text }).catch(() => undefined);
  // Git itself will say so to whoever uses it.
  if (listed === undefined) return new Map([['config', 'cannot be read']]);
  for (const entry of listed.split('\0').filter(Boolean)) {
    const [key = '', ...lines] = entry.split('\n');
    const value = lines.join('\n');
    const isAlias = key.startsWith('alias.');
    if (isAlias ? !value.startsWith('!') : !NAMES_PROGRAM.test(key)) continue;
    const others = found.get(key);
    found.set(key, others === undefined ? value : `${others}\n${value}`);
  }
  return found;
}

/**
 * As git writes keys: all but what stands between the dots is small. Those of a person's own tools (editors, pagers,
 * credential helpers) are left out: people set them while tasks run, and see what they start.
 */
const NAMES_PROGRAM = new RegExp(
  `^(?:${[
    'core\\.(?:hookspath|fsmonitor|sshcommand|gitproxy|askpass|worktree|alternaterefscommand)',
    'filter\\..+\\.(?:clean|smudge|process)',
    'diff\\.external|diff\\..+\\.(?:command|textconv)',
    'merge\\..+\\.driver',
    'gpg\\.(?:.+\\.)?(?:program|defaultkeycommand)',
    'include\\.path|includeif\\..+\\.path|init\\.templatedir',
    'remote\\..+\\.(?:uploadpack|receivepack|vcs)',
    'url\\..+\\.(?:pushinsteadof|insteadof)',
    'uploadpack\\.packobjectshook',
    'trailer\\..+\\.(?:command|cmd)',
    'tar\\..+\\.command',
  ].join('|')})$`,
);

function changed(
  kind: ProgramChange['kind'],
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): ProgramChange[] {
  return [...new Set([...before.keys(), ...now.keys()])]
    .filter((name) => before.get(name) !== now.get(name))
    .map((name) => ({ kind, name, value: now.get(name) ?? null }));
}

async function contents(
  files: readonly (readonly [name: string, path: string])[],
): Promise<Map<string, string>> {
  const read = await Promise.all(
    files.map(async ([name, path]) => [name, await textOf(path)] as const),
  );
  return new Map(read.flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])));
}

/** Undefined where there is none. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ENOENT' ? undefined : `cannot be read: ${String(code)}`;
  }
}
