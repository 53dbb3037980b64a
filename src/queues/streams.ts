/**
 * Reads the event streams of all capability queues with one blocking XREAD.
 *
 * Invariants kept here: 3 (an entry is handed out again until its cursor moved on; streams are trimmed only up
 * to a committed cursor).
 */
import type { Redis } from 'ioredis';
import { answersOf } from './answers.js';
import { streamKey, wakeKey } from './keys.js';

export interface StreamEntry {
  readonly queue: string;
  /** `milliseconds-number`, as Redis numbered it. */
  readonly entry: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Entries read of each stream at a time. */
export const PAGE = 2_000;

export class Streams {
  /**
   * @param reader a connection of its own, since it blocks
   * @param client any other connection, for trimming and for waking the reader
   */
  constructor(
    private readonly reader: Redis,
    private readonly client: Redis,
    private readonly prefix: string,
  ) {}

  /**
   * Waits up to `block` milliseconds for entries behind the cursors, and returns them in the order in which
   * they were written, over all streams.
   *
   * A stream of which more than a page is waiting sets the horizon: later entries of other streams are left
   * for the next read, or a dependent's start could be read before its need's completion.
   */
  async read(cursors: ReadonlyMap<string, string>, block: number): Promise<StreamEntry[]> {
    const queues = [...cursors.keys()];
    const reply = await this.reader.xread(
      'COUNT',
      PAGE,
      'BLOCK',
      block,
      'STREAMS',
      wakeKey(this.prefix),
      ...queues.map((queue) => streamKey(this.prefix, queue)),
      '$',
      ...cursors.values(),
    );
    if (!reply) return [];
    const prefixLength = this.prefix.length + 1;
    const queueOf = (key: string): string => key.slice(prefixLength, -':events'.length);
    const read = reply.filter(([key]) => key !== wakeKey(this.prefix));
    const pages = read.map(([key, entries]) => {
      const queue = queueOf(key);
      return entries.map(([entry, flat]) => ({ queue, entry, fields: record(flat) }));
    });
    // Most often there is one, and Redis has sorted it.
    if (pages.length < 2) return pages[0] ?? [];
    let horizon: string | undefined;
    for (const page of pages) {
      const last = page.at(-1)!.entry;
      if (page.length === PAGE && (!horizon || compareEntries(last, horizon) < 0)) horizon = last;
    }
    return pages
      .flat()
      .filter(({ entry }) => !horizon || compareEntries(entry, horizon) <= 0)
      .toSorted((a, b) => compareEntries(a.entry, b.entry));
  }

  /** Ends a waiting `read` at once, for instance because a queue was added. */
  async wake(): Promise<void> {
    await this.client.xadd(wakeKey(this.prefix), 'MAXLEN', 1, '*', 'wake', '');
  }

  /** Removes entries before the cursors. */
  async trim(cursors: ReadonlyMap<string, string>): Promise<void> {
    const pipeline = this.client.pipeline();
    for (const [queue, entry] of cursors) {
      pipeline.xtrim(streamKey(this.prefix, queue), 'MINID', '~', entry);
    }
    await answersOf(pipeline);
  }

  /**
   * Queues of which entries may have been cut before they were read. Trimming by us always leaves the cursor's
   * own entry, so where that is gone, somebody else has trimmed.
   */
  async gaps(cursors: ReadonlyMap<string, string>): Promise<string[]> {
    const pipeline = this.client.pipeline();
    // Queues may be added to the map while Redis is asked.
    const asked = [...cursors];
    for (const [queue, entry] of asked) {
      const stream = streamKey(this.prefix, queue);
      if (entry === NOTHING_READ) pipeline.xinfo('STREAM', stream);
      else pipeline.xrange(stream, entry, entry);
    }
    const replies = (await pipeline.exec()) ?? [];
    return asked.flatMap(([queue, entry], index) => {
      const [error, reply] = replies[index]!;
      // A stream that does not exist yet has lost nothing.
      if (error || !Array.isArray(reply)) return [];
      const cut = entry === NOTHING_READ ? wasTrimmed(reply) : reply.length === 0;
      return cut ? [queue] : [];
    });
  }
}

/** The cursor of a stream that was never read. */
export const NOTHING_READ = '0-0';

/** Whether a stream holds fewer entries than it ever got; Redis before 7 does not tell. */
function wasTrimmed(info: readonly unknown[]): boolean {
  const field = (name: string): unknown => info[info.indexOf(name) + 1];
  return info.includes('entries-added') && Number(field('entries-added')) > Number(field('length'));
}

/** Orders stream entries by time, then by number. */
export function compareEntries(a: string, b: string): number {
  const [aTime, aNumber] = a.split('-').map(Number);
  const [bTime, bNumber] = b.split('-').map(Number);
  return aTime! - bTime! || (aNumber ?? 0) - (bNumber ?? 0);
}

function record(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2) fields[flat[index]!] = flat[index + 1]!;
  return fields;
}
