/** A goal's graph as lines: tasks in the order of the graph, indented by their level, cut to a height. */
import { topologicalOrder } from '../../core/graph.js';
import type { GoalReport, TaskReport } from '../../projections/report.js';
import { formatDuration } from './duration.js';
import { paint } from './paint.js';
import { cell, renderTable } from './table.js';
import { lookOf, namesOf, taskRow } from './task-row.js';
import { oneLine, truncate } from './text.js';

export interface GraphSize {
  /** Columns; unlimited unless given. */
  readonly width?: number | undefined;
  /** Lines; what does not fit is folded, finished tasks first. Unlimited unless given. */
  readonly height?: number | undefined;
}

/** Deeper levels are not indented further: names have to stay in sight. */
const DEEPEST = 8;
/** Lines beside the tasks: title, what is folded, summary. */
const FRAME = 3;

/** What a person looks for comes first when there is not room for everything. */
const WEIGHT: Record<ReturnType<typeof lookOf>, number> = {
  active: 0,
  failed: 1,
  backoff: 2,
  review: 3,
  assigned: 4,
  pending: 5,
  blocked: 6,
  backlog: 7,
  done: 8,
  cancelled: 9,
};

export function renderGraph(report: GoalReport, now: number, size: GraphSize = {}): string[] {
  const { width = Number.POSITIVE_INFINITY, height = Number.POSITIVE_INFINITY } = size;
  const levels = levelsOf(report.tasks);
  const ordered = [...report.tasks]
    .map((task, index) => ({ task, index, level: levels.get(task.id) ?? 0 }))
    .toSorted((a, b) => a.level - b.level || a.index - b.index)
    .map(({ task }) => task);
  const shown = fold(ordered, Math.max(1, height - FRAME));
  const nameOf = namesOf(report);
  const rows = shown.map((task) =>
    taskRow(task, nameOf, now, 2 * Math.min(levels.get(task.id) ?? 0, DEEPEST)),
  );
  const elapsed = formatDuration((report.finishedAt ?? now) - report.createdAt);
  const hidden = ordered.length - shown.length;
  return [
    ...renderTable([[cell(report.goal, 'bold'), cell(oneLine(report.title), 'bold')]], { width }),
    ...renderTable(rows, { width }),
    ...(hidden > 0 ? [paint('gray', truncate(foldedLine(ordered, shown), width))] : []),
    truncate(`${report.text} (${elapsed})${branchRemark(report)}`, width),
  ];
}

/** What became of a finished goal's branch. */
export function branchRemark({ state, branch }: GoalReport): string {
  if (!branch || state !== 'DONE') return '';
  const { landed, trouble } = branch;
  if (landed !== null) return `, landed as ${landed.slice(0, 9)}`;
  return trouble === null ? ', not landed yet' : `, could not land: ${oneLine(trouble)}`;
}

/** For each task, the length of the longest path that leads to it. */
function levelsOf(tasks: readonly TaskReport[]): Map<string, number> {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const levels = new Map<string, number>();
  for (const id of topologicalOrder(tasks)) {
    let level = 0;
    for (const need of byId.get(id)!.needs) level = Math.max(level, (levels.get(need) ?? -1) + 1);
    levels.set(id, level);
  }
  return levels;
}

function fold(tasks: readonly TaskReport[], room: number): TaskReport[] {
  if (tasks.length <= room) return [...tasks];
  const weighed = tasks.map((task, index) => ({ index, weight: WEIGHT[lookOf(task)] }));
  const kept = weighed
    .toSorted((a, b) => a.weight - b.weight || a.index - b.index)
    .slice(0, room)
    .map(({ index }) => index);
  return kept.toSorted((a, b) => a - b).map((index) => tasks[index]!);
}

function foldedLine(all: readonly TaskReport[], shown: readonly TaskReport[]): string {
  const counts = new Map<string, number>();
  const visible = new Set(shown);
  for (const task of all) {
    if (visible.has(task)) continue;
    const state = task.state.toLowerCase();
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const parts = [...counts].map(([state, count]) => `${count} ${state}`);
  return `… and ${parts.join(', ')}`;
}
