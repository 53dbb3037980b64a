/** The merges on a goal's branch, recognised by their trailers; so also after a crash, and by anybody with the repository. */
import type { GoalBranch } from './branches.js';
import type { Repository } from './repository.js';

/** One task's merge. */
export interface Merge {
  readonly commit: string;
  readonly task: string;
  readonly claim: number;
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
  trailer('Drover-Check'),
  '%cI',
  '%s',
].join('%x00');

/** The goal's merges, newest first: its first-parent history back to its start. */
export async function mergesOf(
  { objects }: Repository,
  { goal, start, tip }: Range,
): Promise<Merge[]> {
  if (start === tip) return [];
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
  for (let at = 0; at + 8 < fields.length; at += 8) {
    const [commit, parents, task, claim, of, check, time, subject] = fields.slice(at, at + 8);
    if (!task || of !== goal) continue;
    const [before, head] = parents!.split(' ');
    merges.push({
      commit: commit!,
      task,
      claim: Number(claim),
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
