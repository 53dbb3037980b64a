/** The report at a goal's end, as the interface agent gives it: the result, what went wrong, what to try next. */
import { holdText } from '../../core/hold.js';
import type { GoalReport, TaskReport } from '../../projections/report.js';
import { formatDuration } from './duration.js';
import { branchRemark } from './graph.js';
import { paint } from './paint.js';
import { namesOf, waitWords } from './task-row.js';
import { oneLine } from './text.js';

const STYLES = { DONE: 'green', SETTLED: 'red', CANCELLED: 'yellow', OPEN: 'cyan' } as const;
/** Tasks named one by one at most. */
const NAMED = 20;

export function renderReport(report: GoalReport): string[] {
  const { state, text, createdAt, finishedAt, tasks } = report;
  const took = finishedAt === null ? '' : ` in ${formatDuration(finishedAt - createdAt)}`;
  const nameOf = namesOf(report);
  const failed = tasks
    .filter((task) => task.state === 'FAILED')
    .map(
      ({ id, name, error }) =>
        `  ✗ ${id} ${oneLine(name)}: ${oneLine(error ?? 'no reason was given')}`,
    );
  const blocked = tasks
    .filter((task) => task.blockedBy.length > 0)
    .map(
      ({ id, name, blockedBy }) =>
        `  ⊘ ${id} ${oneLine(name)}: blocked by ${blockedBy.map(nameOf).join(', ')}`,
    );
  const waiting = tasks
    .filter(isReached)
    .map((task) => `  ◷ ${task.id} ${oneLine(task.name)}: waits ${waitWords(task, nameOf)}`);
  const held = tasks.flatMap(({ id, name, heldBy }) =>
    heldBy ? [`  ◷ ${id} ${oneLine(name)}: held, ${holdText(heldBy)}`] : [],
  );
  return [
    paint([STYLES[state], 'bold'], `${text}${took}${branchRemark(report)}`),
    ...some(failed),
    ...some(blocked),
    ...some(waiting),
    ...some(held),
  ];
}

/** True where nothing but gates keeps a task. */
export const isReached = ({ waitsFor, gates, blockedBy }: TaskReport): boolean =>
  gates.length > 0 && waitsFor.length === 0 && blockedBy.length === 0;

function some(lines: readonly string[]): string[] {
  if (lines.length <= NAMED) return [...lines];
  return [...lines.slice(0, NAMED), `  … and ${lines.length - NAMED} more`];
}
