/**
 * Whether a Redis answers that keeps its connections: one that was stopped, or that is behind a network which swallows packets,
 * closes none, and whoever waits for it would wait without a word.
 */
import type { Redis } from 'ioredis';

/** Milliseconds without an answer after which it counts as silent; one script may take as long. */
export const SILENT = 5_000;

export class Silence {
  private asking = false;
  private looks = 0;

  constructor(private readonly client: Redis) {}

  /**
   * Looks whether what was asked at the look before was answered, and asks again; to be called at even intervals.
   * @returns for how many of them there was no answer. They are counted in place of time: a process that stood still itself
   * has not looked meanwhile, and finds the answer before it looks again.
   */
  look(): number {
    if (this.asking) {
      // Without a connection it is away, which is another matter; a new one begins anew.
      this.looks = this.client.status === 'ready' ? this.looks + 1 : 0;
      return this.looks;
    }
    this.looks = 0;
    this.asking = true;
    // That it refuses, for instance while a script runs, is an answer.
    const answered = (): void => void (this.asking = false);
    this.client.ping().then(answered, answered);
    return 0;
  }
}
