/** How soon the work of a killed worker is taken up again. */
export interface WorkerTiming {
  /**
   * Milliseconds a claim outlives its last sign of life; default 5,000. A killed worker's tasks are taken up
   * again at most `lockDuration + 2 × stalledInterval` later.
   */
  readonly lockDuration: number;
  /** Milliseconds between looks for dead claims; default 2,500. */
  readonly stalledInterval: number;
}

export const DEFAULT_TIMING: WorkerTiming = { lockDuration: 5_000, stalledInterval: 2_500 };
