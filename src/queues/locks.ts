/**
 * Keeps the locks of running attempts, and tells an attempt at once that it lost its task.
 *
 * BullMQ's own renewal does neither for us: it knows jobs and not claims, so that the end of an attempt that
 * lost its lock also ends the renewal for the next claim of the same job in the same process; and a run whose
 * lock is gone is not told.
 *
 * Invariants kept here: 5 (one attempt of this process at most holds a job; the others are aborted).
 */
import { asError, DroverError } from '../core/errors.js';

/** Renews locks; returns the jobs for which that failed. */
export type Renew = (jobs: string[], tokens: string[]) => Promise<string[]>;

interface Held {
  readonly token: string;
  readonly stop: AbortController;
}

export class Locks {
  private readonly held = new Map<string, Held>();
  private readonly timer: NodeJS.Timeout;
  private renewing = false;

  /** @param every milliseconds between two renewals */
  constructor(
    private readonly renew: Renew,
    every: number,
    private readonly onError: (error: Error) => void,
  ) {
    this.timer = setInterval(() => void this.renewAll(), every);
  }

  /** Runs one attempt under the lock that `token` took; `stop` is aborted when the lock is lost. */
  async hold<T>(
    job: string,
    token: string,
    stop: AbortController,
    work: () => Promise<T>,
  ): Promise<T> {
    // That this process could claim it again proves that it had lost it.
    this.held.get(job)?.stop.abort(lockLost(job));
    const held: Held = { token, stop };
    this.held.set(job, held);
    try {
      return await work();
    } finally {
      if (this.held.get(job) === held) this.held.delete(job);
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async renewAll(): Promise<void> {
    // While Redis is away a renewal waits for it; one is enough.
    if (this.renewing || this.held.size === 0) return;
    this.renewing = true;
    const asked = [...this.held];
    try {
      const failed = new Set(
        await this.renew(
          asked.map(([job]) => job),
          asked.map(([, { token }]) => token),
        ),
      );
      for (const [job, held] of asked) {
        // An attempt that has ended meanwhile gave its lock back.
        if (failed.has(job) && this.held.get(job) === held) held.stop.abort(lockLost(job));
      }
    } catch (error) {
      this.onError(asError(error));
    } finally {
      this.renewing = false;
    }
  }
}

const lockLost = (job: string): DroverError =>
  new DroverError(
    'stale-claim',
    `The lock of ${job} was lost: this process was held up for too long.`,
  );
