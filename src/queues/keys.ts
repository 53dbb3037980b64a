/** Where things lie in Redis. BullMQ's own keys follow its layout: `PREFIX:QUEUE:JOB`, `PREFIX:QUEUE:events`. */

export const DEFAULT_PREFIX = 'drover';

export const jobKey = (prefix: string, queue: string, job: string): string =>
  `${prefix}:${queue}:${job}`;
export const streamKey = (prefix: string, queue: string): string => `${prefix}:${queue}:events`;
export const metaKey = (prefix: string, queue: string): string => `${prefix}:${queue}:meta`;

/** Hash of a task's finished steps. */
export const journalKey = (prefix: string, task: string): string => `${prefix}:journal:${task}`;

/** Set of goals that are cancelled, for workers that were about to begin. */
export const cancelledKey = (prefix: string): string => `${prefix}:cancelled`;

/** Id of the log that owns this prefix; gone when Redis lost everything. */
export const ownerKey = (prefix: string): string => `${prefix}:log`;

/** Run id of the Redis that the supervisor has compared with the log; see vouch.ts. */
export const vouchKey = (prefix: string): string => `${prefix}:vouch`;

/** Pub/sub channel on which workers hear that a goal was cancelled. */
export const cancelChannel = (prefix: string): string => `${prefix}:cancel`;

/** Stream whose entries only wake the recorder. */
export const wakeKey = (prefix: string): string => `${prefix}:wake`;
