/** Where things lie in Redis. BullMQ's own keys follow its layout: `PREFIX:QUEUE:JOB`, `PREFIX:QUEUE:events`. */

export const DEFAULT_PREFIX = 'drover';

export const jobKey = (prefix: string, queue: string, job: string): string =>
  `${prefix}:${queue}:${job}`;
export const streamKey = (prefix: string, queue: string): string => `${prefix}:${queue}:events`;
export const metaKey = (prefix: string, queue: string): string => `${prefix}:${queue}:meta`;

/** Hash of the finished steps of a task's job: one of a later generation begins with none. */
export const journalKey = (prefix: string, job: string): string => `${prefix}:journal:${job}`;

/** Set of goals that are cancelled and of jobs that were withdrawn, for workers that were about to begin. */
export const cancelledKey = (prefix: string): string => `${prefix}:cancelled`;

/** Set of goals (`goal-7`) and projects (`project:NAME`) that are paused, for workers that were about to begin. */
export const pausedKey = (prefix: string): string => `${prefix}:paused`;

/** Id of the log that owns this prefix; gone when Redis lost everything. */
export const ownerKey = (prefix: string): string => `${prefix}:log`;

/** Hash of where the supervisor has its projects; see places.ts. */
export const placesKey = (prefix: string): string => `${prefix}:places`;

/** Run id of the Redis that the supervisor has compared with the log; see vouch.ts. */
export const vouchKey = (prefix: string): string => `${prefix}:vouch`;

/** Pub/sub channel on which workers hear that a goal was cancelled. */
export const cancelChannel = (prefix: string): string => `${prefix}:cancel`;

/** What belongs to the merge train of one goal's branch; see train.ts. */
export const trainKey = (prefix: string, track: string): string => `${prefix}:train:${track}`;

/** Pub/sub channel on which those who wait for a train hear of its verdicts, and that it can be led. */
export const trainChannel = (prefix: string): string => `${prefix}:train`;

/** Stream whose entries only wake the recorder. */
export const wakeKey = (prefix: string): string => `${prefix}:wake`;

/** Hash of the limits on projects: `project:NAME` to how many of its tasks may run at once. */
export const limitsKey = (prefix: string): string => `${prefix}:limits`;

/** Hash of the reasons for which jobs are put aside; the jobs themselves are in `PREFIX:held:REASON`. */
export const heldKey = (prefix: string): string => `${prefix}:held`;

/** Hash of what stands still at the supervisor; see troubles.ts. */
export const troublesKey = (prefix: string): string => `${prefix}:troubles`;

/** Pub/sub channel on which agents hear that limits have changed. */
export const limitsChannel = (prefix: string): string => `${prefix}:limit`;
