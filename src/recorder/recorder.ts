/**
 * Reads the streams of all capability queues and has each batch committed to the log. While a commit fails
 * (a full disk, for instance) nothing is read, so Redis keeps what is not recorded.
 *
 * Invariants kept here: 3 (cursors move only with the commit of what was read; streams are trimmed only behind
 * them).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../core/errors.js';
import type { NewEvent } from '../core/events.js';
import { NOTHING_READ, PAGE, type StreamEntry, type Streams } from '../queues/streams.js';
import { isSwitch, type Keep, type Locate, translate } from './translate.js';

export interface RecorderOptions {
  readonly streams: Streams;
  readonly cursors: ReadonlyMap<string, string>;
  readonly locate: Locate;
  readonly keep: Keep;
  /** Appends the events, moves the cursors and stores the projections, all or nothing. */
  readonly commit: (events: readonly NewEvent[], cursors: ReadonlyMap<string, string>) => void;
  /**
   * Entries were cut before they were read: looks at the jobs. What it finds is adopted once everything that
   * stands in the streams by then is recorded, because what is told there needs no adopting.
   */
  readonly onGap: (queue: string, cursor: string) => Promise<readonly NewEvent[]>;
  /** Records those of the outcomes that the log still lacks. */
  readonly adopt: (queue: string, cursor: string, outcomes: readonly NewEvent[]) => void;
  /** A queue was paused or resumed, by whomever. */
  readonly onSwitched: (queue: string) => void;
  /** Recording stands still for this reason; null when it goes on. */
  readonly onTrouble: (reason: string | null) => void;
}

/** Milliseconds between trims. */
const HOUSEKEEPING = 1_000;
/** Milliseconds that a read waits for entries. */
const BLOCK = 1_000;
/** Recording takes a fifth of the time where commits are quick, … */
const IDLE_SHARE = 4;
/** … and is never more than so many milliseconds late by choice: what is left at the end of a goal is waited for. */
const LONGEST_WAIT = 10;
/** A read of so many entries means that it does not keep up. */
const MANY = 0.8 * PAGE;
/** Milliseconds between tries while commits or reads fail. */
const PAUSE = 500;

export class Recorder {
  private readonly cursors: Map<string, string>;
  private stopped = false;
  private running: Promise<void> | undefined;
  private housekept = 0;
  private troubled = false;
  /** Those who want to be told when everything is recorded. */
  private readonly waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  /** Gaps that were dealt with, by their cursors. */
  private readonly known = new Map<string, string>();

  constructor(private readonly options: RecorderOptions) {
    this.cursors = new Map(options.cursors);
  }

  /** Reads this queue's stream as well, from its beginning. */
  async watch(queue: string): Promise<void> {
    if (this.cursors.has(queue)) return;
    this.cursors.set(queue, NOTHING_READ);
    if (this.running) await this.options.streams.wake();
  }

  /** Records everything that is in the streams by now; while it records, between two reads. */
  async catchUp(): Promise<void> {
    if (!this.running) return this.catchUpNow();
    const caughtUp = new Promise<void>((resolve, reject) => this.waiting.push({ resolve, reject }));
    await this.options.streams.wake();
    return caughtUp;
  }

  private async catchUpNow(): Promise<void> {
    const { onGap, adopt } = this.options;
    const gaps = await this.gaps();
    const found: (readonly NewEvent[])[] = [];
    for (const [queue, cursor] of gaps) found.push(await onGap(queue, cursor));
    await this.drain();
    for (const [index, [queue, cursor]] of gaps.entries()) {
      adopt(queue, cursor, found[index]!);
      this.known.set(queue, cursor);
    }
  }

  private async drain(): Promise<void> {
    for (;;) {
      const entries = await this.options.streams.read(this.cursors, 1);
      if (entries.length > 0) this.record(entries);
      // Less than a page: that was all there was. Waiting for a lull could take for ever.
      if (entries.length < MANY) return;
    }
  }

  start(): void {
    this.running = this.loop();
  }

  /** Ends after the batch in hand. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.options.streams.wake().catch(() => undefined);
    await this.running;
    for (const { reject } of this.waiting.splice(0)) reject(new Error('Recording has ended.'));
  }

  private async catchUpForThem(): Promise<void> {
    const waiting = this.waiting.splice(0);
    try {
      await this.catchUpNow();
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      for (const { reject } of waiting) reject(error);
      throw error;
    }
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      try {
        const entries = await this.options.streams.read(this.cursors, BLOCK);
        if (entries.length > 0) await this.recordAtPace(entries);
        if (this.waiting.length > 0) await this.catchUpForThem();
        if (Date.now() - this.housekept >= HOUSEKEEPING) await this.housekeep();
        this.trouble(null);
      } catch (error) {
        if (this.stopped) return;
        this.trouble(messageOf(error));
        await delay(PAUSE);
      }
    }
  }

  /** Waiting a little lets one commit hold more, and leaves the processor to the agents. */
  private async recordAtPace(entries: readonly StreamEntry[]): Promise<void> {
    const began = performance.now();
    this.record(entries);
    // Behind a full page more is waiting: catching up comes first.
    if (entries.length >= MANY) return;
    await delay(Math.min((performance.now() - began) * IDLE_SHARE, LONGEST_WAIT));
  }

  private record(entries: readonly StreamEntry[]): void {
    const moved = new Map<string, string>();
    const events: NewEvent[] = [];
    const switched = new Set<string>();
    for (const read of entries) {
      if (isSwitch(read)) switched.add(read.queue);
      const event = translate(read, this.options.locate, this.options.keep);
      if (event) events.push(event);
      // They come in the order in which they were written: the last one of each stream stays.
      moved.set(read.queue, read.entry);
    }
    this.options.commit(events, moved);
    for (const [queue, entry] of moved) this.cursors.set(queue, entry);
    for (const queue of switched) this.options.onSwitched(queue);
  }

  private async housekeep(): Promise<void> {
    if ((await this.gaps()).length > 0) await this.catchUpNow();
    await this.options.streams.trim(this.cursors);
    this.housekept = Date.now();
  }

  /** Gaps that were not there before, with the cursor behind which they begin. */
  private async gaps(): Promise<[queue: string, cursor: string][]> {
    const found: [string, string][] = [];
    for (const queue of await this.options.streams.gaps(this.cursors)) {
      const cursor = this.cursors.get(queue)!;
      if (this.known.get(queue) !== cursor) found.push([queue, cursor]);
    }
    return found;
  }

  private trouble(reason: string | null): void {
    if (reason === null && !this.troubled) return;
    this.troubled = reason !== null;
    this.options.onTrouble(reason);
  }
}
