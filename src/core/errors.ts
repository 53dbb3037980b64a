/**
 * Errors that people read. Each says what is wrong, where, and how to mend it; the command line prints
 * them without a stack trace.
 */

/** Closed list, so that programs can tell errors apart without parsing messages. */
export const ERROR_CODES = [
  'bad-input',
  'bad-plan',
  'not-found',
  'conflict',
  'redis-unreachable',
  'redis-unsuitable',
  'log-locked',
  'log-unreadable',
  'log-unwritable',
  'log-newer',
  'no-supervisor',
  'stale-claim',
  'too-large',
  'cancelled',
  'timeout',
  /** Something is in the way that passes or is put away, and then the same goes on: a full disk, a lock. */
  'hindered',
] as const;
/** What kind of error it is. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What Drover throws where something is wrong that somebody can mend; `code` tells which kind it is. */
export class DroverError extends Error {
  /**
   * @param code what kind of error this is
   * @param message what is wrong, and where
   * @param remedy what to do about it, as a sentence
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly remedy?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'DroverError';
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return severalText(error);
  if (error instanceof Error) return error.message;
  return typeof error === 'object' && error !== null ? textOf(error) : String(error);
}

/** Errors of several in one that are told. */
const TOLD = 5;

/** Its own words say only that all have failed, or nothing: where a host has several addresses, Node tries each. */
function severalText({ message, errors }: AggregateError): string {
  const told = errors.slice(0, TOLD).map(messageOf);
  const more = errors.length > TOLD ? [`${errors.length - TOLD} more`] : [];
  return [...(message === '' ? [] : [message]), ...told, ...more].join('; ');
}

/** Of an object that is no error. Its fields are named only: their values may be secret. */
function textOf(thrown: object): string {
  if ('message' in thrown && typeof thrown.message === 'string') return thrown.message;
  const fields = Object.keys(thrown).slice(0, 10).join(', ');
  return `An object without a message was thrown${fields === '' ? '.' : `; it has ${fields}.`}`;
}

/** The same with what to do about it, where there is one text for both. */
export function adviceOf(error: unknown): string {
  const message = messageOf(error);
  return error instanceof DroverError && error.remedy !== undefined
    ? `${message} ${error.remedy}`
    : message;
}

/** Anything that was thrown, as an error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error));
}
