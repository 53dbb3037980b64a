/**
 * Reads the event streams of all capability queues with one blocking XREAD.
 *
 * Invariants kept here: 3 (an entry is handed out again until its cursor moved on; streams are trimmed only up
 * to a committed cursor).
 */
import type { Redis } from 'ioredis';
import { streamKey, wakeKey } from './keys.js';

export interface StreamEntry {
  readonly queue: string;
  /** `milliseconds-number`, as Redis numbered it. */
  readonly entry: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Entries read of each stream at a time. */
const PAGE = 500;

type Reply = [stream: string, entries: [id: string, fields: string[]][]][] | null;

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
    const reply = (await this.reader.xread(
      'COUNT',
      PAGE,
      'BLOCK',
      block,
      'STREAMS',
      wakeKey(this.prefix),
      ...queues.map((queue) => streamKey(this.prefix, queue)),
      '$',
      ...cursors.values(),
    )) as Reply;
    if (!reply) return [];
    const prefixLength = this.prefix.length + 1;
    const queueOf = (key: string): string => key.slice(prefixLength, -':events'.length);
    let horizon: string | undefined;
    const read = reply.filter(([key]) => key !== wakeKey(this.prefix));
    for (const [, entries] of read) {
      const last = entries.at(-1)![0];
      if (entries.length === PAGE && (!horizon || compareEntries(last, horizon) < 0)) horizon = last;
    }
    return read
      .flatMap(([key, entries]) =>
        entries.map(([entry, flat]) => ({ queue: queueOf(key), entry, fields: record(flat) })),
      )
      .filter(({ entry }) => !horizon || compareEntries(entry, horizon) <= 0)
      .sort((a, b) => compareEntries(a.entry, b.entry));
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
    await pipeline.exec();
  }

  /** Queues of which entries behind the cursor were deleted before they were read (Redis 7 and later). */
  async gaps(cursors: ReadonlyMap<string, string>): Promise<string[]> {
    const queues = [...cursors.keys()];
    const pipeline = this.client.pipeline();
    for (const queue of queues) pipeline.xinfo('STREAM', streamKey(this.prefix, queue));
    const replies = (await pipeline.exec()) ?? [];
    return queues.filter((queue, index) => {
      const [error, info] = replies[index]!;
      if (error || !Array.isArray(info)) return false;
      const deleted: unknown = info[info.indexOf('max-deleted-entry-id') + 1];
      return (
        info.includes('max-deleted-entry-id') &&
        typeof deleted === 'string' &&
        compareEntries(deleted, cursors.get(queue)!) > 0
      );
    });
  }
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
