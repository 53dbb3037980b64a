/** A moment on the command line: an event's number, a date and time, or how long ago. */
import { DURATION_UNITS } from '../core/duration-text.js';
import { DroverError } from '../core/errors.js';
import type { Moment } from '../engine/history/replay.js';

const UNITS: Readonly<Record<string, number>> = DURATION_UNITS;
/** Numbers from here on are epoch milliseconds (1973 and later); no log has so many events. */
const EPOCH = 100_000_000_000;

/** @throws DroverError `bad-input` */
export function parseMoment(text: string, now: number): Moment {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (Number.isSafeInteger(number)) return number >= EPOCH ? { time: number } : { seq: number };
  }
  const ago = /^-(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (ago) return { time: now - Number(ago[1]) * UNITS[ago[2]!]! };
  // Without this, the parser would take nearly any word with a number in it for a date, and 30 February for 2 March.
  const day = /^\d{4}-\d{2}-\d{2}/.exec(text)?.[0];
  const time = day !== undefined && isDay(day) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return { time };
  throw new DroverError(
    'bad-input',
    `‘${text}’ is no moment.`,
    'Write an event’s number (--at 120), a time (--at 2026-03-01T12:00:00) or how long ago (--at=-5m).',
  );
}

function isDay(text: string): boolean {
  const time = Date.parse(text);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}
