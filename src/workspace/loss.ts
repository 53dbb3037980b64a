/**
 * Proves that a merge drops no line that its task did not drop.
 *
 * Merging is git's work, so this file trusts nothing of how it was done and compares trees alone. Of the four of a
 * merge - the task's start S, its work T, the goal's tip O, the result M - every line of O, counted as often as
 * it is in its file, must be in M, but for those that the task itself took out of the file between S and T.
 * A file that the task or the goal renamed is compared with what became of it: lines that the task took out of the
 * old name count for the new one, and lines of a file that the task took away may stand in those it added.
 */
import { type Change, changesBetween } from './changes.js';
import type { Repository } from './repository.js';
import { ABSENT } from './trees.js';

export interface Loss {
  readonly path: string;
  /** Some of the lines, shortened. */
  readonly lines: readonly string[];
  /** How many there are. */
  readonly count: number;
}

export interface MergeTrees {
  /** Trees or commits. */
  readonly start: string;
  readonly work: string;
  readonly onto: string;
  readonly merged: string;
  /** From `start` to `work`. */
  readonly changes: readonly Change[];
}

const SHOWN_LINES = 5;
const SHOWN_LENGTH = 200;

/** The lines that got lost; empty in every merge that may be made. */
export async function lossesOf(repository: Repository, trees: MergeTrees): Promise<Loss[]> {
  const byTask = new Map(trees.changes.map((change) => [change.path, change]));
  const made = await changesBetween(repository, trees.onto, trees.merged);
  const open = made.filter((change) => !isTasksOwn(change, byTask.get(change.path)));
  if (open.length === 0) return [];

  const [dropped, byGoal] = await Promise.all([
    lineChanges(repository, trees.start, trees.work, trees.changes),
    changesBetween(repository, trees.start, trees.onto),
  ]);
  const after = await lineChanges(repository, trees.onto, trees.merged, made);
  const movedAway = byGoal.filter(({ newMode }) => newMode === ABSENT).map(({ path }) => path);
  const fromMoved = movedAway.map((path) => dropped.get(path)?.removed ?? NOTHING);
  const addedByTask = trees.changes.filter(({ oldMode }) => oldMode === ABSENT);
  const arrived = sum(addedByTask.map(({ path }) => after.get(path)?.added ?? NOTHING));

  return open.flatMap(({ path }) => {
    const lines = after.get(path);
    if (!lines) return [];
    const allowed = sum([dropped.get(path)?.removed ?? NOTHING, lines.added, ...fromMoved]);
    const isTakenAway = byTask.get(path)?.newMode === ABSENT;
    const lost = exceeding(lines.removed, isTakenAway ? sum([allowed, arrived]) : allowed);
    return lost.count === 0 ? [] : [{ path, ...lost }];
  });
}

/** Whether the merge did to the file exactly what the task did, to exactly the same file. */
const isTasksOwn = (made: Change, tasks: Change | undefined): boolean =>
  made.oldObject === tasks?.oldObject &&
  made.newObject === tasks.newObject &&
  made.newMode === tasks.newMode;

type Lines = ReadonlyMap<string, number>;
const NOTHING: Lines = new Map();

interface LineChange {
  readonly removed: Map<string, number>;
  readonly added: Map<string, number>;
}

/** The lines that go and come between two trees, by path. */
async function lineChanges(
  { objects }: Repository,
  from: string,
  to: string,
  changes: readonly Change[],
): Promise<Map<string, LineChange>> {
  const output = await objects.run([
    'diff-tree',
    '-r',
    '-p',
    '-U0',
    '--text',
    '--no-renames',
    // As merges compare files.
    '--diff-algorithm=histogram',
    '--no-color',
    '--no-commit-id',
    from,
    to,
    '--',
  ]);
  // A file that becomes a link, or the other way round, is two parts of the patch.
  const parts = changes.flatMap((change) =>
    isTypeChange(change) ? [change.path, change.path] : [change.path],
  );
  return parsePatch(output, parts);
}

const isTypeChange = ({ oldMode, newMode }: Change): boolean =>
  oldMode !== ABSENT && newMode !== ABSENT && oldMode.slice(0, 2) !== newMode.slice(0, 2);

/** Counts lines by the hunks' own headers, so nothing that a file contains is taken for a header. */
function parsePatch(patch: string, paths: readonly string[]): Map<string, LineChange> {
  const result = new Map<string, LineChange>();
  let part = -1;
  let current: LineChange = { removed: new Map(), added: new Map() };
  let [minus, plus] = [0, 0];
  for (const line of patch.split('\n')) {
    if (minus > 0 && line.startsWith('-')) {
      minus -= 1;
      count(current.removed, line.slice(1));
    } else if (plus > 0 && line.startsWith('+')) {
      plus -= 1;
      count(current.added, line.slice(1));
    } else if (line.startsWith('diff --git ')) {
      part += 1;
      const path = paths[part] ?? '';
      current = result.get(path) ?? { removed: new Map(), added: new Map() };
      result.set(path, current);
    } else {
      const header = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
      if (header) [minus, plus] = [Number(header[1] ?? 1), Number(header[2] ?? 1)];
    }
  }
  return result;
}

const count = (lines: Map<string, number>, line: string): void =>
  void lines.set(line, (lines.get(line) ?? 0) + 1);

function sum(all: readonly Lines[]): Lines {
  const total = new Map<string, number>();
  for (const lines of all)
    for (const [line, times] of lines) total.set(line, (total.get(line) ?? 0) + times);
  return total;
}

function exceeding(lines: Lines, allowed: Lines): Pick<Loss, 'lines' | 'count'> {
  let total = 0;
  const shown: string[] = [];
  for (const [line, times] of lines) {
    const lost = times - (allowed.get(line) ?? 0);
    if (lost <= 0) continue;
    total += lost;
    if (shown.length < SHOWN_LINES) shown.push(line.slice(0, SHOWN_LENGTH));
  }
  return { lines: shown, count: total };
}
