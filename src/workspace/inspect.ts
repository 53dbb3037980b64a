/**
 * Says of every worktree of a project what is in it, and why it is kept.
 *
 * Kept here: invariant 8. A worktree counts as safe to remove only where its files are proven to be in the goal's
 * branch, in a reference that keeps them, or in the commit it was made from. Whatever cannot be looked at is reported,
 * and never in the way of the others.
 */
import { existsSync } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../core/errors.js';
import { isAlive } from '../queues/alive.js';
import { branchRef, keptRef, readGoalBranch, taskBranch } from './branches.js';
import { headOf } from './checkpoint.js';
import { readClaim } from './claims.js';
import { treeOf } from './commits.js';
import { mergesOf } from './merges.js';
import { nestedGit } from './nested-git.js';
import { QUARANTINED } from './quarantine.js';
import { readRefs } from './refs.js';
import type { Repository } from './repository.js';
import { leftOutText, treeOfFiles } from './tree-of-files.js';
import { placeOf, readRecord, type Worktree, type WorktreeRecord } from './worktree-record.js';

/**
 * `in-use`: its claim holds the task. Safe to remove are `merged` (its work is in the goal's branch), `kept` (a
 * reference keeps all of it), `clean` (nobody changed anything) and `check` (a checked tree). Not safe are
 * `unmerged` (committed work), `dirty` (work that is not committed, or cannot be) and `corrupted` (cannot be told). A `.git` folder in the work that holds
 * no objects is no work.
 */
export type WorktreeState =
  | 'in-use'
  | 'merged'
  | 'kept'
  | 'clean'
  | 'check'
  | 'unmerged'
  | 'dirty'
  | 'corrupted';

export interface WorktreeReport extends Pick<Worktree, 'dir' | 'adminDir'> {
  readonly name: string;
  readonly project: string;
  /** Undefined where its record is gone. */
  readonly record?: WorktreeRecord;
  readonly state: WorktreeState;
  readonly isQuarantined: boolean;
  /** Why it is in that state, as a sentence. */
  readonly reason: string;
  readonly isSafe: boolean;
  /** Bytes of its files, those that git ignores included. */
  readonly size: number;
  /** Milliseconds since it was made; undefined where that is not known. */
  readonly age?: number;
}

export interface InspectOptions {
  /** Whether a claim is running; by default, whether it holds its task and its process lives or is elsewhere. */
  readonly isInUse?: (record: WorktreeRecord) => boolean | Promise<boolean>;
}

const SAFE = new Set<WorktreeState>(['merged', 'kept', 'clean', 'check']);

export async function inspectWorktrees(
  repository: Repository,
  options: InspectOptions = {},
): Promise<WorktreeReport[]> {
  const entries = await readdir(repository.worktreesDir).catch(() => []);
  const names = new Set(
    entries.filter((entry) => !entry.endsWith('.tmp')).map((entry) => entry.replace(/\.json$/, '')),
  );
  const reports: WorktreeReport[] = [];
  for (const name of [...names].toSorted()) {
    reports.push(await inspectWorktree(repository, name, options));
  }
  return reports;
}

export async function inspectWorktree(
  repository: Repository,
  name: string,
  { isInUse }: InspectOptions = {},
): Promise<WorktreeReport> {
  const { dir, adminDir } = placeOf(repository, name);
  const record = await readRecord(dir);
  const seen = await lookAt(repository, dir, adminDir, record, isInUse).catch((error: unknown) => ({
    state: 'corrupted' as const,
    reason: `It cannot be looked at: ${messageOf(error).trim().split('\n')[0]}`,
  }));
  return {
    name,
    dir,
    adminDir,
    project: repository.name,
    ...(record && { record, age: Date.now() - Date.parse(record.created) }),
    ...seen,
    isQuarantined: QUARANTINED.test(name),
    isSafe: SAFE.has(seen.state),
    size: await sizeOf(dir),
  };
}

type Seen = Pick<WorktreeReport, 'state' | 'reason'>;
const corrupted = (reason: string): Seen => ({ state: 'corrupted', reason });

async function lookAt(
  repository: Repository,
  dir: string,
  adminDir: string,
  record: WorktreeRecord | undefined,
  isInUse: InspectOptions['isInUse'],
): Promise<Seen> {
  if (!record) return corrupted('Its record is missing or damaged.');
  const { task, claim, purpose, ready, start, goal } = record;
  if (await (isInUse ?? ((of) => isHeld(repository, of)))(record)) {
    const who =
      purpose === 'check' ? `A check for ${task} runs` : `Claim ${claim} of ${task} works`;
    return { state: 'in-use', reason: `${who} in it.` };
  }
  if (purpose === 'check') return { state: 'check', reason: 'The check in it is over.' };
  if (!ready) return { state: 'clean', reason: 'It was not made to the end; nobody worked in it.' };
  if (!existsSync(dir)) return lookAtRemains(repository, adminDir, start);
  if (!existsSync(join(adminDir, 'HEAD'))) return corrupted('Its part of the repository is gone.');
  const pointer = await readFile(join(dir, '.git'), 'utf8').catch(() => '');
  if (pointer.trim() !== `gitdir: ${adminDir}`)
    return corrupted('Its .git file is gone or damaged.');

  const nested = await nestedGit(repository, { dir, adminDir, record }, start);
  const more = nested.filter(({ hasObjects }) => hasObjects).map(({ path }) => path);
  if (more.length > 0)
    return { state: 'dirty', reason: `No reference keeps what is in ${more.join(', ')}.` };
  const { tree, leftOut } = await treeOfFiles(repository, { dir, adminDir, record }, nested);
  if (leftOut.length > 0) return { state: 'dirty', reason: leftOut.map(leftOutText).join(' ') };
  const head = await headOf(repository, adminDir);
  if (head === undefined) return corrupted('Its HEAD names no commit.');
  const isIn = async (commit: string | undefined): Promise<boolean> =>
    commit !== undefined &&
    (await treeOf(repository, commit)) === tree &&
    (await repository.objects.ask(['merge-base', '--is-ancestor', head, commit])).status === 0;
  if (head === start && (await isIn(start)))
    return { state: 'clean', reason: 'Nothing was changed in it.' };
  const found = await readGoalBranch(repository, goal);
  const merges = found ? await mergesOf(repository, found) : [];
  for (const merge of merges.filter((each) => each.task === task)) {
    if (await isIn(merge.head))
      return { state: 'merged', reason: `Its work is in ${merge.commit.slice(0, 12)}.` };
  }
  const kept = keptRef(task, claim);
  const branch = branchRef(taskBranch(task));
  const refs = await readRefs(repository, [kept, branch]);
  if (await isIn(refs.get(kept))) return { state: 'kept', reason: `Its work is in ${kept}.` };
  if (await isIn(refs.get(branch)))
    return { state: 'unmerged', reason: `Its work is in ${taskBranch(task)} and not merged.` };
  return { state: 'dirty', reason: 'It has work that no reference keeps.' };
}

/** Of a worktree whose folder is gone there may be commits that were made in it. */
async function lookAtRemains(
  repository: Repository,
  adminDir: string,
  start: string,
): Promise<Seen> {
  const head = existsSync(adminDir) ? await headOf(repository, adminDir) : start;
  if (head === undefined) return corrupted('Its folder is gone, and its HEAD names no commit.');
  const naming = ['for-each-ref', '--count=1', '--format=%(refname)', '--contains', head];
  const ref = (await repository.git.run(naming)).trim();
  if (ref === '' && head !== start)
    return corrupted(`Its folder is gone, and no reference keeps its commit ${head.slice(0, 12)}.`);
  return {
    state: 'clean',
    reason: `Its folder is gone${ref === '' ? '' : `, and its commits are in ${ref}`}.`,
  };
}

async function isHeld(repository: Repository, record: WorktreeRecord): Promise<boolean> {
  const { task, claim, owner, host, pid } = record;
  if (host === hostname() && !isAlive(pid)) return false;
  if (record.purpose === 'check') return true;
  const held = await readClaim(repository, task);
  return held?.claim === claim && held.owner === owner;
}

async function sizeOf(path: string): Promise<number> {
  const info = await lstat(path).catch(() => undefined);
  if (!info) return 0;
  if (!info.isDirectory()) return info.size;
  let total = 0;
  for (const name of await readdir(path).catch(() => [])) total += await sizeOf(join(path, name));
  return total;
}
