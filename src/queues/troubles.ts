/**
 * What stands still at the supervisor, in Redis, where whoever asks from elsewhere finds it: a log that cannot be written
 * cannot tell that itself.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { connect } from './connection.js';
import type { RedisSource } from './redis-source.js';
import { troublesKey } from './keys.js';

const troubleSchema = z.object({
  /** What stands still: recording, or the projects' files. */
  about: z.enum(['log', 'files']),
  reason: z.string(),
  /** Epoch milliseconds. */
  since: z.number(),
});
export type Trouble = z.infer<typeof troubleSchema>;

/** @param reason null where it goes on */
export async function noteTrouble(
  client: Redis,
  prefix: string,
  about: Trouble['about'],
  reason: string | null,
): Promise<void> {
  const trouble = { about, reason, since: Date.now() };
  if (reason === null) await client.hdel(troublesKey(prefix), about);
  else await client.hset(troublesKey(prefix), about, JSON.stringify(trouble));
}

/**
 * @param since when the supervisor was started, epoch milliseconds: one before it may have been killed in its trouble
 * @throws DroverError `redis-unreachable`
 */
export async function readTroubles(
  source: RedisSource,
  prefix: string,
  since: number,
): Promise<Trouble[]> {
  const connection = await connect(source);
  try {
    const noted = await connection.client.hvals(troublesKey(prefix));
    return noted
      .map((text) => troubleSchema.parse(JSON.parse(text)))
      .filter((trouble) => trouble.since >= since);
  } finally {
    await connection.close();
  }
}
