/** A goal's branch as a picture: its own line from the tip down to where it started, and what lies beside it. */
import type { GoalView } from '../../core/goal.js';
import type { GoalLine, LineCommit } from '../../workspace/line.js';
import type { Merge } from '../../workspace/merges.js';
import { type Cell, cell, renderTable } from './table.js';
import { paint } from './paint.js';
import { oneLine, truncate } from './text.js';

const short = (commit: string): string => commit.slice(0, 9);

export function renderGoalLine(
  goal: GoalView,
  line: GoalLine,
  width: number | undefined,
): string[] {
  const rows = [
    ...line.commits.map((commit, index) => commitRow(goal, commit, index === 0)),
    [cell('○', 'gray'), cell(short(line.start), 'yellow'), cell('start', 'gray')],
  ];
  return [
    paint('bold', `${goal.id} ${oneLine(goal.title)}`),
    whereItStands(goal, line),
    '',
    ...renderTable(rows, { width }),
    ...section('Under way:', underWay(line), width),
    ...section('Kept, not merged:', keptRows(line), width),
    ...line.rolledBack.flatMap(({ ref, undone }) =>
      section(
        `Rolled back, kept as ${ref}:`,
        undone.map((merge) => undoneRow(merge)),
        width,
      ),
    ),
    ...section('Moved to by something other than Drover, and put back:', putBackRows(line), width),
  ];
}

/** In words: done or not, landed or why not. */
export function whereItStands(goal: GoalView, { branch }: Pick<GoalLine, 'branch'>): string {
  const { state, landed, landingTrouble, rollback, pushed, id, merged } = goal;
  const parts = [`${branch}: ${state}`];
  if (pushed !== null) parts.push(`pushed as ${short(pushed)}`);
  if (rollback !== null) parts.push(`goes back to ${short(rollback)}`);
  if (landed !== null) parts.push(`landed as ${short(landed)}`);
  else if (landingTrouble !== null) parts.push(`could not land: ${oneLine(landingTrouble)}`);
  else if (state === 'DONE' && merged) parts.push(`not landed; \`drover approve ${id}\` lands it`);
  return parts.join(', ');
}

function commitRow(goal: GoalView, { commit, subject, merge }: LineCommit, isTip: boolean): Cell[] {
  const id = [cell(short(commit), isTip ? ['yellow', 'bold'] : 'yellow')] as const;
  if (!merge) return [cell('◇', 'cyan'), ...id, cell(''), cell(''), cell(oneLine(subject), 'gray')];
  const task = goal.tasks.get(merge.task);
  const isCurrent = task?.commit === commit;
  return [
    // A task that began again since is no longer proven by its earlier merge.
    cell('●', isCurrent ? 'green' : 'gray'),
    ...id,
    cell(merge.task, 'bold'),
    cell(task && isCurrent ? task.state : 'begun again', isCurrent ? 'green' : 'gray'),
    cell(remarksOn(merge, task?.spec.title ?? task?.spec.name ?? subject), 'gray'),
  ];
}

function remarksOn({ claim, check }: Merge, title: string): string {
  const checked = check === undefined ? '' : `, checked by ${truncate(oneLine(check), 40)}`;
  return `${oneLine(title)} (claim ${claim}${checked})`;
}

const underWay = ({ claims }: GoalLine): Cell[][] =>
  claims.map(({ task, claim, owner, start, head }) => [
    cell('◔', 'cyan'),
    cell(task, 'bold'),
    cell(`claim ${claim}, ${oneLine(owner)}`),
    cell(`from ${short(start)}${head === undefined ? '' : `, at ${short(head)}`}`, 'gray'),
  ]);

const keptRows = ({ kept }: GoalLine): Cell[][] =>
  kept.map(({ task, claim, commit, ref }) => [
    cell('◌', 'yellow'),
    cell(task, 'bold'),
    cell(`claim ${claim}`),
    cell(short(commit), 'yellow'),
    cell(ref, 'gray'),
  ]);

const putBackRows = ({ putBack }: GoalLine): Cell[][] =>
  putBack.map(({ ref, commit }) => [
    cell('↩', 'red'),
    cell(short(commit), 'yellow'),
    cell(ref, 'gray'),
  ]);

const undoneRow = (merge: Merge): Cell[] => [
  cell('✗', 'red'),
  cell(short(merge.commit), 'yellow'),
  cell(merge.task, 'bold'),
  cell(`claim ${merge.claim}`, 'gray'),
];

const section = (title: string, rows: readonly Cell[][], width: number | undefined): string[] =>
  rows.length === 0 ? [] : ['', title, ...renderTable(rows, { width })];
