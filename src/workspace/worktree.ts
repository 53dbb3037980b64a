/**
 * Makes worktrees: folders in which a task is worked on, or a merged tree is checked.
 *
 * Kept here: any number of processes may make worktrees of one repository at once, and be killed while they do.
 * `git worktree add` fills its part of the repository step by step, and for a moment (or, killed, for ever)
 * every other git command there fails over it; here that part is made aside and moved into place as a whole. It is
 * locked, so nobody's `git worktree prune` takes it away. HEAD is detached: the task's branch is moved from
 * outside, by the claim that holds the task (invariant 5).
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lstat, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { DroverError, messageOf } from '../core/errors.js';
import type { Claim } from './claims.js';
import { isPlainPath } from './paths.js';
import { moveAside } from './quarantine.js';
import type { Repository } from './repository.js';
import {
  newRecord,
  type NewRecord,
  placeOf,
  readRecord,
  type Worktree,
  writeRecord,
} from './worktree-record.js';

export interface WorktreeOptions {
  /** Paths below `linkSource` to link into the worktree, such as `node_modules`; missing ones are left out. */
  readonly links?: readonly string[];
  /** Where they are: the main checkout unless given. */
  readonly linkSource?: string;
  /** The commit or tree whose files are there at first, in place of the start's: earlier work, merged. */
  readonly files?: string;
}

/**
 * The claim's worktree, with the files of the commit that it starts from; one that is there already for the same
 * claim and owner is used again as it is.
 */
export function createWorktree(
  repository: Repository,
  { goal, task, claim, owner, start }: Claim,
  options: WorktreeOptions = {},
): Promise<Worktree> {
  const links = [...(options.links ?? [])];
  const of = { purpose: 'task', goal, task, claim, owner, start, links } as const;
  return create(repository, `${task}.${claim}`, of, options);
}

/** A worktree with exactly the files of a commit, for its check. What is in one of the same name is replaced. */
export async function createCheckWorktree(
  repository: Repository,
  commit: string,
  { goal, task, claim, owner }: Pick<Claim, 'goal' | 'task' | 'claim' | 'owner'>,
  options: WorktreeOptions = {},
): Promise<Worktree> {
  const name = `${task}.${claim}.check`;
  const links = [...(options.links ?? [])];
  const of = { purpose: 'check', goal, task, claim, owner, start: commit, links } as const;
  const { dir, adminDir } = placeOf(repository, name);
  // Checks leave nothing behind that anybody needs.
  await rm(dir, { recursive: true, force: true });
  await rm(adminDir, { recursive: true, force: true });
  return create(repository, name, of, options);
}

async function create(
  repository: Repository,
  name: string,
  of: NewRecord,
  options: WorktreeOptions,
): Promise<Worktree> {
  const { dir, adminDir } = placeOf(repository, name);
  const before = await readRecord(dir);
  if (existsSync(dir)) {
    const isMine = before?.ready === true && before.owner === of.owner && before.start === of.start;
    if (isMine && existsSync(join(dir, '.git')) && existsSync(adminDir))
      return { dir, adminDir, record: before };
    if (before?.ready === false) await rm(dir, { recursive: true, force: true });
    else await moveAside(repository, { dir, adminDir }, 'another claim of that name left it');
  }
  try {
    return await make(repository, { dir, adminDir, record: newRecord(repository, of) }, options);
  } catch (error) {
    throw repository.objects.explain(error);
  }
}

async function make(
  repository: Repository,
  { dir, adminDir, record }: Worktree,
  options: WorktreeOptions,
): Promise<Worktree> {
  await writeRecord(dir, record);
  await mkdir(dir, { recursive: true });
  await makeAdminDir(repository, { dir, adminDir, record });
  await writeFile(join(dir, '.git'), `gitdir: ${adminDir}\n`);
  await checkOut(repository, { dir, adminDir, record }, options.files ?? record.start);
  await link(repository, dir, record.links, options.linkSource);
  const ready = { ...record, ready: true };
  await writeRecord(dir, ready);
  return { dir, adminDir, record: ready };
}

/** Replaces what is there. The layout is the one that git documents in gitrepository-layout(5). */
export async function makeAdminDir({ gitDir }: Repository, worktree: Worktree): Promise<void> {
  const { dir, adminDir, record } = worktree;
  await rm(adminDir, { recursive: true, force: true });
  const aside = join(gitDir, `drover-${randomUUID()}.tmp`);
  try {
    await mkdir(aside);
    await writeFile(join(aside, 'commondir'), '../..\n');
    await writeFile(join(aside, 'gitdir'), `${join(dir, '.git')}\n`);
    await writeFile(join(aside, 'HEAD'), `${record.start}\n`);
    const holder = `${record.task} claim ${record.claim} of project ${record.project}`;
    await writeFile(join(aside, 'locked'), `Drover works here: ${holder}\n`);
    await mkdir(dirname(adminDir), { recursive: true });
    await rename(aside, adminDir);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Variables with which the object door works on the files of a worktree. */
export const filesOf = (
  { dir, adminDir }: Pick<Worktree, 'dir' | 'adminDir'>,
  index = join(adminDir, 'index'),
): Record<string, string> => ({ GIT_WORK_TREE: dir, GIT_INDEX_FILE: index });

async function checkOut({ objects }: Repository, worktree: Worktree, files: string): Promise<void> {
  const variables = filesOf(worktree);
  await objects.run(['read-tree', '--reset', '-u', files], { variables });
  if (files === worktree.record.start) return;
  // Earlier work shows as a change that is not committed.
  await objects.run(['read-tree', worktree.record.start], { variables });
  await objects.ask(['update-index', '-q', '--refresh'], { variables });
}

async function link(
  repository: Repository,
  dir: string,
  links: readonly string[],
  source = repository.kind === 'checkout' ? repository.dir : undefined,
): Promise<void> {
  for (const path of links) {
    const [from, to] = [join(source ?? sep, path), join(dir, path)];
    if (!isPlainPath(path)) throw badLink(path, 'leads out of the project');
    if (source === undefined || !existsSync(from)) continue;
    try {
      await mkdir(dirname(to), { recursive: true });
      if (await lstat(to).catch(() => undefined)) continue;
      await symlink(from, to);
    } catch (error) {
      throw badLink(path, messageOf(error));
    }
  }
}

const badLink = (path: string, why: string): DroverError =>
  new DroverError(
    'bad-input',
    `The path ${JSON.stringify(path)} cannot be linked into a worktree: ${why}.`,
    'Correct `links` in the settings of the project.',
  );
