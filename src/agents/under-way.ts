/**
 * What a handler has begun and did not wait for: its attempt ends only after that. The next attempt would begin beside
 * a step that still runs, and run it again.
 *
 * Invariant kept here: 4 (a step that is running is not run a second time beside itself).
 */
export class UnderWay {
  private readonly running = new Set<Promise<unknown>>();

  get isEmpty(): boolean {
    return this.running.size === 0;
  }

  add<T>(work: Promise<T>): Promise<T> {
    this.running.add(work);
    const end = (): void => void this.running.delete(work);
    // Also so that a handler which forgot to wait does not end the process by a rejection that nobody handles.
    work.then(end, end);
    return work;
  }

  /**
   * Waits until nothing is left.
   * @returns what failed meanwhile: whoever returned without waiting can no longer be told
   */
  async ended(): Promise<readonly unknown[]> {
    const failures: unknown[] = [];
    while (!this.isEmpty) {
      for (const end of await Promise.allSettled(this.running)) {
        if (end.status === 'rejected') failures.push(end.reason);
      }
    }
    return failures;
  }
}
