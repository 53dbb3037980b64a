/** A goal's branch as a line of commits, with what lies beside it: for people to read. */
import {
  branchRef,
  claimRef,
  type GoalBranch,
  goalBranch,
  keptPrefix,
  putBackRef,
  readGoalBranch,
  rolledBackRef,
  taskBranch,
} from './branches.js';
import { readClaim } from './claims.js';
import { type Merge, mergesOf } from './merges.js';
import { readRefs, refsBelow } from './refs.js';
import type { Repository } from './repository.js';

/** A commit of the goal's own line. */
export interface LineCommit {
  readonly commit: string;
  readonly subject: string;
  /** ISO 8601. */
  readonly time: string;
  /** Undefined for one that brings the goal up to date with its base, or that somebody else made. */
  readonly merge?: Merge;
}

/** A claim that holds its task. */
export interface OpenClaim {
  readonly task: string;
  readonly claim: number;
  readonly owner: string;
  readonly start: string;
  /** Its last commit, where it has made one. */
  readonly head?: string;
}

/** A reference to work that is not on the line. */
export interface Aside {
  readonly ref: string;
  readonly commit: string;
}

export interface GoalLine extends GoalBranch {
  /** Newest first. */
  readonly commits: readonly LineCommit[];
  readonly claims: readonly OpenClaim[];
  /** What claims left that was not merged. */
  readonly kept: readonly (Aside & { readonly task: string; readonly claim: number })[];
  /** The branch as it was before each rollback, with the merges that were undone, newest first. */
  readonly rolledBack: readonly (Aside & { readonly undone: readonly Merge[] })[];
  /** What something other than Drover had moved it to. */
  readonly putBack: readonly Aside[];
}

/** Undefined where the goal has no branch. @param tasks the goal's */
export async function lineOf(
  repository: Repository,
  goal: string,
  tasks: readonly string[],
): Promise<GoalLine | undefined> {
  const found = await readGoalBranch(repository, goal);
  if (!found) return undefined;
  const merges = await mergesOf(repository, found);
  const commits = await commitsOf(repository, found, merges);
  const present = new Set(merges.map(({ commit }) => commit));
  const all = await refsBelow(repository, 'refs/drover/');
  const before = rolledBackRef(goal, 0).slice(0, -1);
  const rolledBack = [];
  for (const [ref, commit] of all) {
    if (!ref.startsWith(before)) continue;
    const were = await mergesOf(repository, { ...found, tip: commit });
    rolledBack.push({ ref, commit, undone: were.filter((merge) => !present.has(merge.commit)) });
  }
  const putBackBefore = putBackRef(goalBranch(goal), '');
  const putBack = [...all]
    .filter(([ref]) => ref.startsWith(putBackBefore))
    .map(([ref, commit]) => ({ ref, commit }));
  const kept = tasks.flatMap((task) => {
    const prefix = keptPrefix(task);
    return [...all]
      .filter(([ref]) => ref.startsWith(prefix))
      .map(([ref, commit]) => ({ ref, commit, task, claim: Number(ref.slice(prefix.length)) }));
  });
  const held = tasks.filter((task) => all.has(claimRef(task)));
  const claims = await Promise.all(held.map((task) => openClaim(repository, task)));
  return {
    ...found,
    commits,
    kept,
    rolledBack,
    putBack,
    claims: claims.flatMap((claim) => claim ?? []),
  };
}

/** The goal's own line since its start, newest first. */
export async function commitsOf(
  { objects }: Repository,
  { start, tip }: GoalBranch,
  merges: readonly Merge[],
): Promise<LineCommit[]> {
  if (start === tip) return [];
  const format = '--format=%H%x00%cI%x00%s';
  const output = await objects.run(['log', '-z', '--first-parent', format, tip, `^${start}`, '--']);
  const fields = output.split('\0');
  const byCommit = new Map(merges.map((merge) => [merge.commit, merge]));
  const commits: LineCommit[] = [];
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const [commit, time, subject] = fields.slice(at, at + 3);
    const merge = byCommit.get(commit!);
    commits.push({ commit: commit!, subject: subject!, time: time!, ...(merge && { merge }) });
  }
  return commits;
}

async function openClaim(repository: Repository, task: string): Promise<OpenClaim | undefined> {
  const branch = branchRef(taskBranch(task));
  const [held, refs] = await Promise.all([
    readClaim(repository, task),
    readRefs(repository, [branch]),
  ]);
  if (!held) return undefined;
  const head = refs.get(branch);
  const { claim, owner, start } = held;
  return { task, claim, owner, start, ...(head !== undefined && head !== start && { head }) };
}
