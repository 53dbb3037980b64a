/** Cron expressions and time zones, read by the code by which BullMQ schedules its jobs. */
import { defaultRepeatStrategy } from 'bullmq';
import { counted } from '../core/counted.js';
import { DroverError, messageOf } from '../core/errors.js';

export interface CronTime {
  readonly cron: string;
  /** A name of the IANA database, such as `Europe/Berlin`. */
  readonly tz: string;
}

/**
 * The first moment after `after` at which a schedule is due, epoch milliseconds; undefined where there is none. A
 * time that the clocks leave out in spring comes an hour later, one that they repeat in autumn comes once; what is
 * due every hour is due in each of them.
 */
export function nextDue({ cron, tz }: CronTime, after: number): number | undefined {
  return defaultRepeatStrategy(after, { pattern: cron, tz });
}

const EXAMPLES =
  'Write minute, hour, day, month and weekday, as in "0 2 * * *" (every night at two), "*/15 9-17 * * MON-FRI" (every quarter of an hour at work) or "@hourly".';

/** @throws DroverError `bad-input` saying what is wrong, with examples */
export function checkCron(time: CronTime, now: number): void {
  const { cron, tz } = time;
  checkZone(tz);
  const fields = cron.trim().split(/\s+/);
  const named = /^@(yearly|annually|monthly|weekly|daily|hourly|minutely|secondly)$/.test(
    cron.trim(),
  );
  if (!named && fields.length !== 5 && fields.length !== 6) {
    const what =
      cron.trim() === '' ? 'is empty' : `has ${counted(fields.length, 'field')} instead of five`;
    throw badCron(cron, what);
  }
  // Its meaning is chance, and changes with every reading.
  if (fields.some((field) => /(^|[^A-Z])H([^A-Z]|$)/i.test(field))) {
    throw badCron(cron, 'has an H, whose meaning would change');
  }
  let next: number | undefined;
  try {
    next = nextDue(time, now);
  } catch (error) {
    throw badCron(cron, `cannot be read: ${messageOf(error)}`, error);
  }
  if (next === undefined) throw badCron(cron, 'is never due');
}

function checkZone(tz: string): void {
  try {
    Intl.DateTimeFormat('en', { timeZone: tz });
  } catch (error) {
    throw new DroverError(
      'bad-input',
      `There is no time zone ‘${tz}’.`,
      'Write a name such as Europe/Berlin, America/New_York or UTC.',
      { cause: error },
    );
  }
}

const badCron = (cron: string, what: string, cause?: unknown): DroverError =>
  new DroverError('bad-input', `The cron expression "${cron}" ${what}.`, EXAMPLES, { cause });
