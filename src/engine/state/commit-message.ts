/** The messages of Drover's commits of STATE.yaml. Pure. */
import { counted } from '../../core/counted.js';
import { oneLine } from '../../projections/one-line.js';
import type { GoalEntry } from '../../projections/state-schema.js';

/** What happened to a goal that is still open; of others, their state says it. */
export type Moment = 'created' | 'planned' | 'reopened' | 'changed';

/** Goals that a message names one by one. */
const MAX_NAMED = 50;

/** @param moments goals by id, at least one */
export function commitMessage(
  moments: ReadonlyMap<string, Moment>,
  goals: Readonly<Record<string, GoalEntry>>,
): string {
  const named = [...moments].slice(0, MAX_NAMED);
  const lines = named.map(([id, moment]) => line(id, moment, goals[id]));
  const trailers = named.map(([id]) => `Drover-Goal: ${id}`).join('\n');
  if (moments.size === 1) return `${lines[0]}\n\n${trailers}`;
  const brief = named.map(([id, moment]) => `${id} ${word(moment, goals[id])}`).join(', ');
  const rest = moments.size > MAX_NAMED ? [`and ${moments.size - MAX_NAMED} more`] : [];
  const body = [...lines, ...rest].map((text) => `- ${text}`).join('\n');
  return `${oneLine(`${moments.size} goals: ${brief}`, 72)}\n\n${body}\n\n${trailers}`;
}

/** `goal-7: done, 10/10 tasks (Build authentication system)` */
function line(id: string, moment: Moment, entry: GoalEntry | undefined): string {
  const what = word(moment, entry);
  // A goal of long ago that the file no longer shows.
  if (!entry) return `${id}: ${what}`;
  const progress = entry.progress ?? '';
  const total = /^\d+\/(\d+)/.exec(progress)?.[1];
  const tasks =
    what === 'planned' && total
      ? `, ${counted(Number(total), 'task')}`
      : progress && `, ${progress.replace(' done', ' tasks')}`;
  return `${id}: ${what}${tasks} (${oneLine(entry.title, 80)})`;
}

const WORDS = { SETTLED: 'settled', DONE: 'done', CANCELLED: 'cancelled' } as const;

const word = (moment: Moment, entry: GoalEntry | undefined): string =>
  entry && entry.state !== 'OPEN' ? WORDS[entry.state] : moment;
