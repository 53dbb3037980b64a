/** What an entry of a queue's stream means for the log. Pure. */
import { agentEventSchema, type Event, type NewEvent } from '../core/events.js';
import { INLINE_LIMIT } from '../core/large-result.js';
import type { Json } from '../core/plan.js';
import type { StreamEntry } from '../queues/streams.js';

/** Where a job's task belongs; undefined for jobs that are not Drover's. */
export type Locate = (job: string) => { project: string; goal: string; task: string } | undefined;

/** Puts JSON away that is too large for the log, and returns what stands for it. */
export type Keep = (text: string) => Json;

/** The event that an entry stands for, or undefined where it changes nothing about a task. */
export function translate(
  { queue, entry, fields }: StreamEntry,
  locate: Locate,
  keep: Keep,
): NewEvent | undefined {
  const job = fields['jobId'];
  const meaning = MEANINGS.get(fields['event'] ?? '');
  if (job === undefined || meaning === undefined) return undefined;
  const place = locate(job);
  if (!place) return undefined;
  const meant = meaning(fields, keep);
  if (!meant) return undefined;
  const time = Number(entry.slice(0, entry.indexOf('-')));
  return { time, ...place, ...meant, origin: { queue, entry } };
}

/** Whether a queue was paused or resumed; who did it, BullMQ does not say. */
export const isSwitch = ({ fields }: StreamEntry): boolean =>
  fields['event'] === 'paused' || fields['event'] === 'resumed';

type Meaning = (
  fields: Readonly<Record<string, string>>,
  keep: Keep,
) => { event: Event; claim?: number } | undefined;

/** Kinds of entries that say something about a task. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ['drover', ({ data }) => agentEvent(data)],
  [
    'waiting',
    ({ prev }) => ({ event: { type: 'task.queued', ...(prev !== undefined && { from: prev }) } }),
  ],
  ['active', () => ({ event: { type: 'task.assigned' } })],
  [
    'delayed',
    ({ delay }) => ({
      event: { type: 'task.retrying', until: Math.max(0, Math.round(Number(delay) || 0)) },
    }),
  ],
  ['stalled', () => ({ event: { type: 'task.stalled' } })],
  [
    'waiting-children',
    // Without a previous state it is the job's first entry.
    ({ prev }) => (prev === undefined ? undefined : { event: { type: 'task.suspended' } }),
  ],
  [
    'completed',
    ({ returnvalue }, keep) => ({
      event: { type: 'task.completed', result: written(returnvalue, keep) },
    }),
  ],
  [
    'failed',
    ({ failedReason }) => ({
      event: { type: 'task.failed', reason: shortened(failureText(failedReason)) },
    }),
  ],
  [
    'progress',
    ({ data }, keep) => ({ event: { type: 'task.progressed', progress: written(data, keep) } }),
  ],
]);

/** What an agent says is checked, because any program that reaches Redis can say it. */
function agentEvent(data: string | undefined): { event: Event; claim: number } | undefined {
  const value = parse(data);
  const claim = typeof value === 'object' && !Array.isArray(value) ? value?.['claim'] : undefined;
  if (typeof claim !== 'number' || !Number.isSafeInteger(claim) || claim < 1) return undefined;
  const event = agentEventSchema.safeParse(value);
  return event.success ? { event: event.data, claim } : undefined;
}

/**
 * Levels of lists and objects that are taken as JSON; schemas and SQLite's text are walked recursively. More than in
 * core/json.ts, because events are wrapped around what agents hand in.
 */
const MAX_DEPTH = 500;

/** What a worker has written, which need be no agent of Drover's: of any size. */
function written(text: string | undefined, keep: Keep): Json {
  const value = parse(text);
  // A character has up to three bytes.
  if (text === undefined || text.length <= INLINE_LIMIT / 3) return value;
  return bounded(value, value === text ? JSON.stringify(text) : text, keep);
}

/** The value where it is small enough for the log, else what stands for it. @param json of the value */
export const bounded = (value: Json, json: string, keep: Keep): Json =>
  Buffer.byteLength(json) <= INLINE_LIMIT ? value : keep(json);

/** BullMQ's words for a job whose workers were lost more often than it may outlive them. */
const LOST_TOO_OFTEN = 'job stalled more than allowable limit';

const failureText = (reason = 'unknown'): string =>
  reason === LOST_TOO_OFTEN
    ? 'Its agents were killed, or stood still for longer than their lock, too many times while they worked on it. See to what ends them, and retry it.'
    : reason;

function shortened(reason: string): string {
  const left = reason.length - INLINE_LIMIT;
  return left <= 0 ? reason : `${reason.slice(0, INLINE_LIMIT)}… (${left} more characters)`;
}

/** A worker in another language may have written anything as its result; what cannot be read stays a text. */
function parse(text: string | undefined): Json {
  if (text === undefined || text === '') return null;
  if (isTooDeep(text)) return text;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** An entry that cannot be recorded would stop the recorder for good. */
function isTooDeep(text: string): boolean {
  if (text.length <= MAX_DEPTH) return false;
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (inString) {
      if (char === '\\') index += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === ']' || char === '}') depth -= 1;
    else if ((char === '[' || char === '{') && ++depth > MAX_DEPTH) return true;
  }
  return false;
}
