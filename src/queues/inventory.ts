/** What lies in Redis below the prefix, for audits. */
import type { Redis } from 'ioredis';
import type { JobRef } from './jobs.js';
import { journalKey, streamKey } from './keys.js';

export interface Inventory {
  readonly jobs: readonly JobRef[];
  /** Tasks with a journal of finished steps. */
  readonly journals: readonly string[];
}

/** Keys looked at in one round trip. */
const PAGE = 1_000;

/** Every job and journal. Takes time in proportion to the keys in Redis, those of others included. */
export async function takeInventory(client: Redis, prefix: string): Promise<Inventory> {
  const jobs: JobRef[] = [];
  const journals: string[] = [];
  const journal = journalKey(prefix, '');
  const pattern = `${prefix.replaceAll(/[*?[\]\\]/g, '\\$&')}:*`;
  let cursor = '0';
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', PAGE, 'TYPE', 'hash');
    for (const key of keys) {
      if (key.startsWith(journal)) {
        journals.push(key.slice(journal.length));
        continue;
      }
      // A job is `QUEUE:ID`; what belongs to it, and the queue's own hashes, have more parts or a name known here.
      const [queue, id, ...more] = key.slice(prefix.length + 1).split(':');
      if (queue && id && more.length === 0 && id !== 'meta') jobs.push({ queue, id });
    }
    cursor = next;
  } while (cursor !== '0');
  return { jobs, journals };
}

/** The last entry ever written to each queue's stream; queues without a stream are left out. */
export async function streamEnds(
  client: Redis,
  prefix: string,
  queues: Iterable<string>,
): Promise<Map<string, string>> {
  const asked = [...queues];
  const pipeline = client.pipeline();
  for (const queue of asked) pipeline.xinfo('STREAM', streamKey(prefix, queue));
  const replies = (await pipeline.exec()) ?? [];
  const ends = new Map<string, string>();
  for (const [index, [error, info]] of replies.entries()) {
    if (error || !Array.isArray(info)) continue;
    const end: unknown = info[info.indexOf('last-generated-id') + 1];
    if (typeof end === 'string') ends.set(asked[index]!, end);
  }
  return ends;
}
