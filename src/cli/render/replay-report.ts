/** A replay as lines: the events, then what became of each task, then how it all stood. */
import { counted } from '../../core/counted.js';
import type { HistoryEntry, Replay } from '../../engine/history/replay.js';
import type { CheckOutcome, ClaimHistory, TaskHistory } from '../../engine/history/task-history.js';
import { formatDateTime, formatDuration, formatTime } from './duration.js';
import { whoAsked, wordsOf } from './event-line.js';
import { paint, type Style } from './paint.js';
import { type Cell, cell, renderTable } from './table.js';
import { backlogWords, namesOf } from './task-row.js';
import { harmless, oneLine, truncate } from './text.js';

/** Lines of a check's output that are shown, the last ones; the log has all that was kept. */
const OUTPUT_LINES = 12;
/** Columns of one such line. */
const OUTPUT_WIDTH = 160;
/** Characters of a step's result. */
const RESULT_WIDTH = 80;

const STYLES: Readonly<Record<NonNullable<ClaimHistory['end']>, Style>> = {
  done: 'green',
  failed: 'red',
  declined: 'yellow',
  stalled: 'yellow',
  suspended: 'cyan',
  cancelled: 'gray',
  'put aside': 'yellow',
  withdrawn: 'gray',
};

/** @param width columns of the terminal; unlimited unless given */
export function renderReplay(told: Replay, width?: number): string[] {
  const { view, task, seq, time } = told;
  const shown = task === null ? view.goal : `${task} of ${view.goal}`;
  const nameOf = namesOf(view);
  const reports = new Map(view.tasks.map((one) => [one.id, one]));
  const waitsOf = (id: string): string => {
    const report = reports.get(id);
    return report?.state === 'BACKLOG' ? `, ${backlogWords(report, nameOf)}` : '';
  };
  return [
    `${paint('bold', shown)}  ${oneLine(view.title)}`,
    '',
    ...renderTable(
      told.history.map((entry) => eventRow(entry, task !== null)),
      {
        width,
        heading: ['event', 'time', 'after', ...(task === null ? ['task'] : []), 'claim', 'what'],
      },
    ),
    '',
    ...told.tasks.flatMap((history) => [...renderTask(history, waitsOf(history.task)), '']),
    `${paint('gray', `After event ${seq}, ${formatDateTime(time)}:`)} ${view.text}`,
  ];
}

function eventRow(entry: HistoryEntry, isOfTask: boolean): Cell[] {
  const { seq, time, after, task, claim, event, move } = entry;
  const { text, style } = wordsOf(event, time, move);
  return [
    cell(String(seq), 'gray'),
    cell(formatTime(time), 'gray'),
    cell(`+${formatDuration(after)}`, 'gray'),
    ...(isOfTask ? [] : [cell(task ?? '')]),
    cell(claim === undefined ? '' : `#${claim}`),
    cell([oneLine(text), ...whoAsked(entry).map((who) => `(${who})`)].join(' '), style),
  ];
}

/** @param waits what kept it from beginning in the end */
function renderTask({ task, name, stages, claims }: TaskHistory, waits: string): string[] {
  const states = stages.map(({ state, duration }) =>
    duration === null ? state : `${state} ${paint('gray', formatDuration(duration))}`,
  );
  return [
    `${paint('bold', task)}  ${oneLine(name)}`,
    `  ${states.join(' → ')}${waits}`,
    ...claims.flatMap(renderClaim),
  ];
}

function renderClaim({
  claim,
  attempt,
  agent,
  duration,
  end,
  reason,
  steps,
  check,
  ...times
}: ClaimHistory): string[] {
  const took = duration === null ? '' : ` after ${formatDuration(duration)}`;
  const ended = end === null ? paint('cyan', 'held') : paint(STYLES[end], `${end}${took}`);
  const facts = [
    ...(attempt === null ? [] : [`attempt ${attempt}`]),
    ...(agent === null ? [] : [`by ${oneLine(agent)}`]),
  ];
  return [
    `  claim ${claim}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}: ${ended}${reason === null ? '' : `: ${oneLine(reason)}`}`,
    ...steps.map(
      ({ step, time, result }) =>
        `    step ‘${oneLine(step)}’ ${paint('gray', `+${formatDuration(time - times.assignedAt)}`)} ${truncate(oneLine(JSON.stringify(result)), RESULT_WIDTH)}`,
    ),
    ...(check ? renderCheck(check) : []),
  ];
}

function renderCheck({ command, passed, exitCode, durationMs, output }: CheckOutcome): string[] {
  const how = exitCode === null ? 'was ended or could not start' : `ended with ${exitCode}`;
  const result = passed ? paint('green', 'passed') : paint('red', `failed, ${how}`);
  const lines = harmless(output).trimEnd().split('\n');
  const left = lines.length - OUTPUT_LINES;
  return [
    `    check \`${oneLine(command)}\` ${result} ${paint('gray', `in ${formatDuration(durationMs)}`)}`,
    ...(left > 0 ? [paint('gray', `      … ${counted(left, 'line')} before`)] : []),
    ...lines
      .slice(-OUTPUT_LINES)
      .filter((line, _, all) => line !== '' || all.length > 1)
      .map((line) => `      ${paint('gray', '│')} ${truncate(line, OUTPUT_WIDTH)}`),
  ];
}
