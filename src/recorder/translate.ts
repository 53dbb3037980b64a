/** What an entry of a queue's stream means for the log. Pure. */
import { agentEventSchema, type Event, type NewEvent } from '../core/events.js';
import type { Json } from '../core/plan.js';
import type { StreamEntry } from '../queues/streams.js';

/** Where a job's task belongs; undefined for jobs that are not Drover's. */
export type Locate = (job: string) => { project: string; goal: string; task: string } | undefined;

/** The event that an entry stands for, or undefined where it changes nothing about a task. */
export function translate(
  { queue, entry, fields }: StreamEntry,
  locate: Locate,
): NewEvent | undefined {
  const job = fields['jobId'];
  if (job === undefined) return undefined;
  const meant = fields['event'] === 'drover' ? agentEvent(fields['data']) : queueEvent(fields);
  if (!meant) return undefined;
  const place = locate(job);
  if (!place) return undefined;
  const time = Number(entry.slice(0, entry.indexOf('-')));
  return { time, ...place, ...meant, origin: { queue, entry } };
}

/** Whether a queue was paused or resumed; who did it, BullMQ does not say. */
export const isSwitch = ({ fields }: StreamEntry): boolean =>
  fields['event'] === 'paused' || fields['event'] === 'resumed';

function queueEvent(fields: Readonly<Record<string, string>>): { event: Event } | undefined {
  const { event: kind, prev } = fields;
  switch (kind) {
    case 'waiting':
      return { event: { type: 'task.queued', ...(prev !== undefined && { from: prev }) } };
    case 'active':
      return { event: { type: 'task.assigned' } };
    case 'delayed':
      return {
        event: {
          type: 'task.retrying',
          until: Math.max(0, Math.round(Number(fields['delay']) || 0)),
        },
      };
    case 'stalled':
      return { event: { type: 'task.stalled' } };
    case 'waiting-children':
      // Without a previous state it is the job's first entry.
      return prev === undefined ? undefined : { event: { type: 'task.suspended' } };
    case 'completed':
      return { event: { type: 'task.completed', result: parse(fields['returnvalue']) } };
    case 'failed':
      return { event: { type: 'task.failed', reason: fields['failedReason'] ?? 'unknown' } };
    case 'progress':
      return { event: { type: 'task.progressed', progress: parse(fields['data']) } };
    default:
      return undefined;
  }
}

/** What an agent says is checked, because any program that reaches Redis can say it. */
function agentEvent(data: string | undefined): { event: Event; claim: number } | undefined {
  const value = parse(data);
  const claim = typeof value === 'object' && !Array.isArray(value) ? value?.['claim'] : undefined;
  if (typeof claim !== 'number' || !Number.isSafeInteger(claim) || claim < 1) return undefined;
  const event = agentEventSchema.safeParse(value);
  return event.success ? { event: event.data, claim } : undefined;
}

/** Levels of lists and objects that are taken as JSON; schemas and SQLite's text are walked recursively. */
const MAX_DEPTH = 500;

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
