/** The merges on a goal's branch, recognised by their trailers; so also after a crash, and by anybody with the repository. */
import type { GoalBranch } from './branches.js';
import { type Commit, readCommit } from './commits.js';
import type { Repository } from './repository.js';

/** One task's merge. */
export interface Merge {
  readonly commit: string;
  readonly task: string;
  readonly claim: number;
  /** Of the task's job: a task that is run again is merged again. */
  readonly generation: number;
  /** The goal's branch before it. */
  readonly before: string;
  /** The task's work; undefined where somebody removed it from the commit's parents. */
  readonly head?: string;
  /** The check's trailer, if there was a check. */
  readonly check?: string;
  readonly subject: string;
  /** ISO 8601. */
  readonly time: string;
}

type Range = Pick<GoalBranch, 'start' | 'tip' | 'goal'>;

const trailer = (key: string): string => `%(trailers:key=${key},valueonly,separator=%x2C)`;
const FORMAT = [
  '%H',
  '%P',
  trailer('Drover-Task'),
  trailer('Drover-Claim'),
  trailer('Drover-Goal'),
  trailer('Drover-Generation'),
  trailer('Drover-Check'),
  '%cI',
  '%s',
].join('%x00');

/** Commits back to which a goal's branch is followed, before git is left to find where it began. */
const FAR = 10_000;

/** The goal's merges, newest first: its first-parent history back to its start. */
export async function mergesOf(repository: Repository, range: Range): Promise<Merge[]> {
  const merges: Merge[] = [];
  let at = range.tip;
  for (let steps = 0; at !== range.start; steps += 1) {
    const commit = steps < FAR ? await readCommit(repository, at) : undefined;
    const before = commit?.parents[0];
    // The start is no first parent of the tip, as after a merge by hand.
    if (!commit || before === undefined) return mergesByGit(repository, range);
    const merge = mergeOf(at, commit, range.goal);
    if (merge) merges.push(merge);
    at = before;
  }
  return merges;
}

/** Git takes no other paragraph than a commit's last one for trailers, and never its subject. */
function mergeOf(id: string, commit: Commit, goal: string): Merge | undefined {
  const paragraphs = commit.message.trim().split(/\n(?:[ \t]*\n)+/);
  const last = paragraphs.length > 1 ? paragraphs.at(-1)! : '';
  const trailerOf = (key: string): string =>
    [...last.matchAll(new RegExp(`^Drover-${key}: *(.*)$`, 'gm'))]
      .map((line) => line[1]!.trim())
      .join(',');
  const task = trailerOf('Task');
  if (!task || trailerOf('Goal') !== goal) return undefined;
  const [before, head] = commit.parents;
  const check = trailerOf('Check');
  return {
    commit: id,
    task,
    claim: Number(trailerOf('Claim')),
    generation: Number(trailerOf('Generation') || 1),
    before: before!,
    ...(head !== undefined && { head }),
    ...(check && { check }),
    subject: paragraphs[0]!.replaceAll('\n', ' '),
    time: commit.time,
  };
}

async function mergesByGit({ objects }: Repository, { goal, start, tip }: Range): Promise<Merge[]> {
  const output = await objects.run([
    'log',
    '-z',
    '--first-parent',
    `--format=${FORMAT}`,
    tip,
    `^${start}`,
    '--',
  ]);
  const fields = output.split('\0');
  const merges: Merge[] = [];
  for (let at = 0; at + 9 < fields.length; at += 9) {
    const [commit, parents, task, claim, of, generation, check, time, subject] = fields.slice(
      at,
      at + 9,
    );
    if (!task || of !== goal) continue;
    const [before, head] = parents!.split(' ');
    merges.push({
      commit: commit!,
      task,
      claim: Number(claim),
      generation: Number(generation || 1),
      before: before!,
      ...(head !== undefined && { head }),
      ...(check && { check }),
      subject: subject!,
      time: time!,
    });
  }
  return merges;
}

/** The task's latest merge on the goal's branch as given, if there is one. */
export async function findMerge(
  repository: Repository,
  range: Range,
  task: string,
): Promise<Merge | undefined> {
  return (await mergesOf(repository, range)).find((merge) => merge.task === task);
}
