/** How gates are kept in their queue. */

/**
 * Milliseconds until a gate would open by itself: ten years. BullMQ keeps a delayed job's time times 4,096 in
 * a double, which ends in 2039.
 */
export const NEVER = 10 * 365 * 24 * 3_600_000;

/** A gate that a person, a signal or a time opens. */
export const HELD_OPTIONS = {
  // What is recorded when it opens by itself may have to wait, for a disk that is full.
  attempts: 1_000,
  backoff: { type: 'fixed', delay: 1_000, jitter: 0 },
  delay: NEVER,
} as const;
