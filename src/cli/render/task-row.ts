/** One task on one line: symbol, id, name, capability, and what there is to know about it now. */
import { counted } from '../../core/counted.js';
import { gateText } from '../../core/gates.js';
import { holdText } from '../../core/hold.js';
import type { GoalReport, TaskReport } from '../../projections/report.js';
import { formatDateTime, formatDuration } from './duration.js';
import type { Style } from './paint.js';
import { type Cell, cell } from './table.js';
import { oneLine, truncate } from './text.js';
import { pendingWords } from './wait-words.js';

type Look =
  | 'backlog'
  | 'blocked'
  | 'pending'
  | 'backoff'
  | 'assigned'
  | 'active'
  | 'review'
  | 'done'
  | 'failed'
  | 'cancelled';

const LOOKS: Record<Look, { symbol: string; style: Style }> = {
  backlog: { symbol: '·', style: 'gray' },
  blocked: { symbol: '⊘', style: 'yellow' },
  pending: { symbol: '○', style: 'white' },
  backoff: { symbol: '↻', style: 'yellow' },
  assigned: { symbol: '◔', style: 'cyan' },
  active: { symbol: '●', style: 'cyan' },
  review: { symbol: '◆', style: 'magenta' },
  done: { symbol: '✓', style: 'green' },
  failed: { symbol: '✗', style: 'red' },
  cancelled: { symbol: '–', style: 'gray' },
};

export function lookOf(task: TaskReport): Look {
  switch (task.state) {
    case 'BACKLOG':
      return task.blockedBy.length > 0 ? 'blocked' : 'backlog';
    case 'PENDING':
      return task.retryAt === null ? 'pending' : 'backoff';
    case 'ASSIGNED':
      return 'assigned';
    case 'ACTIVE':
      return 'active';
    case 'REVIEW':
      return 'review';
    case 'DONE':
      return 'done';
    case 'FAILED':
      return 'failed';
    case 'CANCELLED':
      return 'cancelled';
    default:
      return task.state satisfies never;
  }
}

export type NameOf = (id: string) => string;

/** What a task in the backlog waits for: names of needs, an approval, a signal, a time; a time alone reads `until …`. */
export function waitWords({ waitsFor, gates }: TaskReport, nameOf: NameOf): string {
  const parts = [...waitsFor.map(nameOf), ...gates.map((gate) => gateText(gate, formatDateTime))];
  return forWords(parts.join(', '));
}

/** Why a task in the backlog does not begin: the failed tasks that block it, or what it waits for. */
export const backlogWords = (task: TaskReport, nameOf: NameOf): string =>
  task.blockedBy.length > 0
    ? `blocked by ${task.blockedBy.map(nameOf).join(', ')}`
    : `waits ${waitWords(task, nameOf)}`;

/** What follows `waits`. */
export const forWords = (what: string): string =>
  what.startsWith('until ') ? what : `for ${what}`;

/** Names of a goal's tasks by id. */
export function namesOf({ tasks }: GoalReport): NameOf {
  const names = new Map(tasks.map(({ id, name }) => [id, oneLine(name)]));
  return (id) => names.get(id) ?? id;
}

/** @param depth columns by which the name is indented */
export function taskRow(task: TaskReport, nameOf: NameOf, now: number, depth = 0): Cell[] {
  const look = lookOf(task);
  const { symbol, style } = LOOKS[look];
  return [
    cell(symbol, style),
    cell(task.id, 'gray'),
    cell(`${' '.repeat(depth)}${oneLine(task.name)}`, look === 'backlog' ? 'gray' : 'bold'),
    cell(task.capability, 'gray'),
    cell(task.state, style),
    cell(remarkOn(task, look, nameOf, now), look === 'failed' ? 'red' : 'gray'),
  ];
}

/** Characters of a reason that are shown in a row; `drover replay` tells all of it. */
const REASON = 500;
const reasonOf = (error: string): string => truncate(oneLine(error), REASON);

function remarkOn(task: TaskReport, look: Look, nameOf: NameOf, now: number): string {
  const attempt = task.attempts > 1 ? `, attempt ${task.attempts}` : '';
  switch (look) {
    case 'backlog':
    case 'blocked':
      return backlogWords(task, nameOf);
    case 'pending':
      if (task.waits) return pendingWords(task.waits);
      if (task.heldBy) return `held: ${holdText(task.heldBy)}`;
      return task.queuedAt === null ? '' : `queued ${formatDuration(now - task.queuedAt)}`;
    case 'backoff':
      return `retry in ${formatDuration(Math.max(0, task.retryAt! - now))} after ${attemptsOf(task)}: ${reasonOf(task.error ?? '')}`;
    case 'assigned':
      return `claimed${attempt}`;
    case 'active':
      if (task.hindered !== null) return `waits until this is gone: ${oneLine(task.hindered)}`;
      return `${formatDuration(now - (task.activeAt ?? now))}${attempt}${progressOf(task)}`;
    case 'done':
      return `${formatDuration(runTime(task))}${attempt}`;
    case 'failed':
      return `${attemptsOf(task)}: ${reasonOf(task.error ?? 'no reason was given')}`;
    case 'review':
      return 'waits for approval';
    case 'cancelled':
      return '';
    default:
      return look satisfies never;
  }
}

const attemptsOf = ({ attempts }: TaskReport): string => counted(attempts, 'attempt');

function progressOf({ progress }: TaskReport): string {
  if (progress === null) return '';
  return `, ${oneLine(typeof progress === 'string' ? progress : JSON.stringify(progress))}`;
}

/** Milliseconds of the last attempt. */
function runTime({ activeAt, assignedAt, finishedAt }: TaskReport): number {
  const began = activeAt ?? assignedAt;
  return began === null || finishedAt === null ? 0 : finishedAt - began;
}
