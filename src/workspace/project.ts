/**
 * A project's folder: a git repository below the folder of all projects.
 *
 * Kept here: of a person's repository nothing is touched but the files that are committed by name. What else
 * is staged stays staged, and no branch, tag or file is moved, changed or removed.
 */
import { existsSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, realpath, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { DroverError, messageOf } from '../core/errors.js';
import { isName, NAME_RULE } from '../core/ids.js';
import { makeFolder } from '../log/data-dir.js';
import { type Author, type Git, gitIn, type GitOptions } from './git.js';
import { inProgress } from './in-progress.js';

export interface Project {
  readonly name: string;
  /** Absolute, with symbolic links resolved. */
  readonly dir: string;
  readonly git: Git;
  /** False for a folder beside somebody's repository, in which nothing is committed. */
  readonly isTracked: boolean;
}

/** What became of a commit; neither where nothing had changed. */
export interface Committed {
  readonly commit?: string;
  /** Why there was no commit, as a sentence: the repository is in the middle of something. */
  readonly skipped?: string;
}

/**
 * The project's repository; it is created where there is none, with an empty first commit on `main`.
 * @throws DroverError `bad-input` for a name that is no name, a link that leads out of `projectsDir`, and a
 *   folder with files but no repository; whatever git's door throws.
 */
export async function openProject(
  projectsDir: string,
  name: string,
  options: GitOptions = {},
): Promise<Project> {
  if (!isName(name)) {
    throw new DroverError(
      'bad-input',
      `${JSON.stringify(name.slice(0, 100))} cannot be a project's name.`,
      `Choose ${NAME_RULE}.`,
    );
  }
  const dir = await folderOf(projectsDir, name);
  const git = gitIn(dir, options);
  await git.exclusive(() => ensureRepository(git, name, options));
  return { name, dir, git, isTracked: true };
}

/** Where the folders of `openAside` are in a data directory. */
export const asideDirOf = (dataDir: string): string => join(dataDir, 'state');

/**
 * The folder in which STATE.yaml and task pages of a registered project are kept up to date: its repository is
 * somebody's, and gets STATE.yaml with each merge and landing only.
 * @param parent Drover's own folder for such projects
 */
export async function openAside(
  parent: string,
  name: string,
  options: GitOptions = {},
): Promise<Project> {
  const dir = join(parent, name);
  await mkdir(dir, { recursive: true });
  return { name, dir, git: gitIn(dir, options), isTracked: false };
}

async function folderOf(projectsDir: string, name: string): Promise<string> {
  const folder = join(projectsDir, name);
  try {
    makeFolder(projectsDir);
    await mkdir(folder).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
    if (!(await lstat(folder)).isSymbolicLink()) return await realpath(folder);
    const [root, dir] = await Promise.all([realpath(projectsDir), realpath(folder)]);
    if (dir.startsWith(root + sep)) return dir;
  } catch (error) {
    throw new DroverError(
      'bad-input',
      `The project's folder ${folder} cannot be used: ${messageOf(error)}.`,
      'Give this user access to it, or name another folder of projects.',
      { cause: error },
    );
  }
  throw new DroverError(
    'bad-input',
    `${folder} is a symbolic link that leads out of ${projectsDir}.`,
    'Put the repository itself there, or point DROVER_PROJECTS at the folder that holds it.',
  );
}

async function ensureRepository(git: Git, name: string, options: GitOptions): Promise<void> {
  const entries = await readdir(git.dir);
  if (entries.length === 0) {
    await createRepository(git.dir, name, options);
    return;
  }
  if (!entries.includes('.git')) {
    throw new DroverError(
      'bad-input',
      `The project's folder ${git.dir} has files but is no git repository.`,
      'Run `git init` there and commit the files, or choose another project name.',
    );
  }
  await headOf(git, []);
}

/** Made aside and moved into place, because of several `git init` at once in one folder most fail. */
async function createRepository(dir: string, name: string, options: GitOptions): Promise<void> {
  // A project's name has no dot, so this folder is never one.
  const aside = await mkdtemp(join(dirname(dir), `.${name}-`));
  try {
    const git = gitIn(aside, options);
    await git.run(['init', '-b', 'main']);
    await git.run(['commit', '--allow-empty', '--no-verify', '-m', `Begin project ${name}`]);
    await rename(join(aside, '.git'), join(dir, '.git'));
  } catch (error) {
    // Another process was faster.
    if (!existsSync(join(dir, '.git'))) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/**
 * Commits these files as they are on disk, and nothing else.
 * @param paths below the project's folder, with forward slashes; those that git ignores are left out
 */
export function commitFiles(
  { git }: Project,
  files: readonly string[],
  message: string,
  author?: Author,
): Promise<Committed> {
  return git.exclusive(async () => {
    const { head, changed } = await headOf(git, files);
    if (changed.length === 0) return {};
    const skipped = await reasonNotTo(git, head);
    if (skipped !== undefined) return { skipped };
    const stage = ['update-index', '--add', '--remove', '-z', '--stdin'];
    const input = changed.map((path) => `${path}\0`).join('');
    await git.run(stage, { input });
    // In an index of its own, without what else is staged. `add` and `commit --only` do the same, and compare each file
    // with each path: for 4,000 pages among 30,000 that took twice as long, and for more a minute was not enough.
    const folder = await mkdtemp(join(tmpdir(), 'drover-index-'));
    const variables = { GIT_INDEX_FILE: join(folder, 'index') };
    try {
      await git.run(['read-tree', head.commit], { variables });
      await git.run(stage, { input, variables });
      const tree = (await git.run(['write-tree'], { variables })).trim();
      if (tree === (await git.run(['rev-parse', `${head.commit}^{tree}`])).trim()) return {};
      const make = ['commit-tree', tree, '-p', head.commit, '-F', '-'];
      const text = { input: `${message.trimEnd()}\n`, ...(author && { author }) };
      const commit = (await git.run(make, text)).trim();
      await git.run(['update-ref', '-m', 'drover: state', 'HEAD', commit, head.commit]);
      return { commit };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** A file as the current commit has it; undefined where it has none. */
export async function committedFile({ git }: Project, path: string): Promise<string | undefined> {
  const listed = await git
    .run(['ls-tree', '--full-tree', '-z', 'HEAD', '--', path])
    .catch(() => '');
  const blob = /^\d+ blob ([0-9a-f]+)\t/.exec(listed)?.[1];
  return blob && git.run(['cat-file', 'blob', blob]);
}

interface Head {
  /** `(initial)` where there is none yet. */
  readonly commit: string;
  readonly unborn: boolean;
  readonly detached: boolean;
}

/** How status begins the line that names HEAD's commit. */
const OID = '# branch.oid ';

/** Where HEAD stands, and which of the paths differ from it; ignored files do not show. */
async function headOf(
  git: Git,
  paths: readonly string[],
): Promise<{ head: Head; changed: string[] }> {
  const args = [
    'status',
    '--porcelain=v2',
    '--branch',
    '--untracked-files=all',
    '--no-renames',
    '-z',
  ];
  // Without a path, status would walk the whole tree to say nothing that is asked here. Folders instead of
  // their files, because git compares each file with each path: 10,000 of both took 1.4 s, so it is 0.02 s.
  const places = new Set(paths.map((path) => path.split('/')[0]!));
  const output = await git.run([...args, '--', ...(places.size > 0 ? places : ['.git'])]);
  const lines = output.split('\0');
  const wanted = new Set(paths);
  const changed = lines
    .flatMap((line) => /^(?:1 (?:\S+ ){7}|u (?:\S+ ){9}|\? )(.+)$/s.exec(line)?.[1] ?? [])
    .filter((path) => wanted.has(path));
  const commit = lines.find((line) => line.startsWith(OID))!.slice(OID.length);
  return {
    head: {
      commit,
      unborn: commit === '(initial)',
      detached: lines.includes('# branch.head (detached)'),
    },
    changed,
  };
}

async function reasonNotTo(git: Git, { unborn, detached }: Head): Promise<string | undefined> {
  const busy = await inProgress(git);
  // A rebase detaches HEAD too, and is the better explanation.
  if (busy)
    return `${git.dir} is in the middle of ${busy}; STATE.yaml is committed once that is over.`;
  if (detached) return `${git.dir} has no branch checked out; STATE.yaml is committed once it has.`;
  if (unborn) return `${git.dir} has no commit yet; STATE.yaml is committed after the first one.`;
  return undefined;
}
