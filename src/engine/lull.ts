/**
 * When housekeeping gives way. Where a thread's event loop is busy, tasks run by the thousand, and files or removals by
 * the thousand would take from them what they need: they wait until there is a lull, but not for ever.
 */

/** Milliseconds that housekeeping waits for a lull at most. */
export const LONGEST_WAIT = 5_000;
/** Milliseconds over which it looks whether the thread is busy, … */
export const LOOK = 50;
/** … which it is from this share of its time on. */
const BUSY = 0.2;

/** @returns whether the calling thread was busy since this call */
export function watchBusy(): () => boolean {
  const before = performance.eventLoopUtilization();
  return () => performance.eventLoopUtilization(before).utilization > BUSY;
}
