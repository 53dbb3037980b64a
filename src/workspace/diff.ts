/** What a task, or a whole goal, changed: for people to read. */
import { branchRef, goalBranch, readGoalBranch, taskBranch } from './branches.js';
import { readClaim } from './claims.js';
import { earlierWork } from './earlier-work.js';
import { findMerge, type Merge, mergesOf } from './merges.js';
import { readRef } from './refs.js';
import type { Repository } from './repository.js';

export interface FileStat {
  readonly path: string;
  /** Lines; undefined for binary files. */
  readonly added?: number;
  readonly removed?: number;
  /** The path before, where git takes it for the same file. */
  readonly before?: string;
}

export interface Diff {
  readonly from: string;
  readonly to: string;
  readonly files: readonly FileStat[];
  /** As `git diff` shows it, cut where it is longer than was asked for. */
  readonly text: string;
  readonly isCut: boolean;
}

export interface TaskDiff extends Diff {
  /** Whether it is the merged work, the branch of a claim that is not merged, or what one left behind. */
  readonly of: 'merge' | 'branch' | 'kept';
  readonly claim?: number;
}

/** Characters. */
const MAX_TEXT = 1_000_000;

/** @param from a commit or tree */
export async function diffBetween(
  { objects }: Repository,
  from: string,
  to: string,
  maxText = MAX_TEXT,
): Promise<Diff> {
  const [stats, text] = await Promise.all([
    objects.run(['diff-tree', '-r', '-M', '-z', '--numstat', '--no-commit-id', from, to, '--']),
    objects.run(['diff-tree', '-r', '-M', '-p', '--no-color', '--no-commit-id', from, to, '--']),
  ]);
  const isCut = text.length > maxText;
  return { from, to, files: parseStats(stats), text: isCut ? text.slice(0, maxText) : text, isCut };
}

function parseStats(output: string): FileStat[] {
  const fields = output.split('\0');
  const files: FileStat[] = [];
  for (let at = 0; at < fields.length; at += 1) {
    const [, added, removed, path] = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(fields[at]!) ?? [];
    if (path === undefined) continue;
    // A file that was renamed has its two names in fields of their own.
    const names = path === '' ? [fields[at + 2]!, fields[at + 1]!] : [path];
    if (path === '') at += 2;
    files.push({
      path: names[0]!,
      ...(added !== '-' && { added: Number(added), removed: Number(removed) }),
      ...(names[1] !== undefined && { before: names[1] }),
    });
  }
  return files;
}

/** What the task changed: as it was merged, or as its claim has it now, or as the last one left it. */
export async function diffOf(
  repository: Repository,
  goal: string,
  task: string,
  maxText?: number,
): Promise<TaskDiff | undefined> {
  const found = await readGoalBranch(repository, goal);
  if (!found) return undefined;
  const merge = await findMerge(repository, found, task);
  if (merge) {
    const diff = await diffBetween(repository, merge.before, merge.commit, maxText);
    return { ...diff, of: 'merge', claim: merge.claim };
  }
  const [held, work] = [
    await readClaim(repository, task),
    await readRef(repository, branchRef(taskBranch(task))),
  ];
  if (held && work !== undefined) {
    const diff = await diffBetween(repository, held.start, work, maxText);
    return { ...diff, of: 'branch', claim: held.claim };
  }
  const last = (await earlierWork(repository, task))[0];
  if (!last) return undefined;
  const { output } = await repository.objects.ask(['merge-base', found.tip, last.commit]);
  const diff = await diffBetween(repository, output.trim() || found.start, last.commit, maxText);
  return { ...diff, of: 'kept', claim: last.claim };
}

export interface GoalHistory {
  readonly branch: string;
  readonly start: string;
  readonly tip: string;
  /** Newest first. */
  readonly merges: readonly Merge[];
}

/** The goal's branch and its merges; undefined where it has none. */
export async function historyOf(
  repository: Repository,
  goal: string,
): Promise<GoalHistory | undefined> {
  const found = await readGoalBranch(repository, goal);
  if (!found) return undefined;
  const { start, tip } = found;
  return { branch: goalBranch(goal), start, tip, merges: await mergesOf(repository, found) };
}
