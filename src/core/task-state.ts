/** The states of a task. *Blocked* is no state: it is derived from a failed ancestor. */
export const TASK_STATES = [
  /** Its needs are open. */
  'BACKLOG',
  /** In its queue, or waiting out a backoff. */
  'PENDING',
  /** Claimed by a worker. */
  'ASSIGNED',
  /** The agent's run has begun. */
  'ACTIVE',
  /** Finished, waiting for approval. */
  'REVIEW',
  'DONE',
  'FAILED',
  'CANCELLED',
] as const;
/**
 * `BACKLOG` (its needs or gates are open), `PENDING` (in its queue, or waiting out a backoff), `ASSIGNED` (claimed), `ACTIVE`
 * (its agent's run has begun), `REVIEW` (finished, waits for approval), `DONE`, `FAILED` or `CANCELLED`.
 */
export type TaskState = (typeof TASK_STATES)[number];

/** States a task leaves only when a person (or a rollback) reopens it. */
export const isFinal = (state: TaskState): boolean =>
  state === 'DONE' || state === 'FAILED' || state === 'CANCELLED';

export const GOAL_STATES = [
  /** Something runs or can run. */
  'OPEN',
  /** Every task that is left is failed, or blocked behind one that is. */
  'SETTLED',
  'DONE',
  'CANCELLED',
] as const;
/** `OPEN` (something runs or can run), `SETTLED` (what is left is failed, or blocked behind it), `DONE` or `CANCELLED`. */
export type GoalState = (typeof GOAL_STATES)[number];
