/** How soon the work of a killed worker is taken up again. */
import { DroverError } from '../core/errors.js';

/** They need not be the same in all processes: nothing is lost, and the slowest one says how soon. */
export interface WorkerTiming {
  /**
   * Milliseconds a claim outlives its last sign of life; default 5,000. A killed worker's tasks are taken up
   * again at most `lockDuration + 2 × stalledInterval` later: its own lock, and the longest interval of its queue, because
   * BullMQ lets nobody look before the time is over that whoever looked last has said.
   */
  readonly lockDuration: number;
  /** Milliseconds between looks for dead claims; default 2,500. */
  readonly stalledInterval: number;
}

/** @param recovery milliseconds within which work is taken up */
export const timingWithin = (recovery: number): WorkerTiming => ({
  lockDuration: Math.round(recovery / 2),
  stalledInterval: Math.round(recovery / 4),
});

const DEFAULT_TIMING = timingWithin(10_000);

/** Milliseconds at least. A lock is renewed by the event loop of those who work, which may be busy for longer than less. */
const SHORTEST = { lockDuration: 1_000, stalledInterval: 100 } as const;
/** What a timer can hold. */
const LONGEST = 2_147_483_647;

/** @throws DroverError `bad-input` */
export function timingOf(given: Partial<WorkerTiming> = {}): WorkerTiming {
  const timing = { ...DEFAULT_TIMING, ...given };
  for (const name of ['lockDuration', 'stalledInterval'] as const) {
    const time = timing[name];
    if (Number.isSafeInteger(time) && time >= SHORTEST[name] && time <= LONGEST) continue;
    throw new DroverError(
      'bad-input',
      `The timing’s ${name} cannot be ${String(time)}.`,
      `Give milliseconds, as a whole number from ${SHORTEST[name]} to ${LONGEST}, or leave it out.`,
    );
  }
  return timing;
}
