/** BullMQ's options of a job, as far as Drover gives any. */
export interface JobOptions {
  /** 1 is taken first. */
  readonly priority: number;
  readonly attempts?: number;
  readonly backoff?: { type: 'fixed' | 'exponential'; delay: number; jitter: number };
  /** Milliseconds until it leaves the delayed set by itself. */
  readonly delay?: number;
  /** Its parent goes on when it fails. */
  readonly ignoreDependencyOnFailure?: boolean;
}
