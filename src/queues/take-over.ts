/**
 * What a supervisor held that was killed. Only one works on the engine's queues, and the next one starts when it is
 * gone: nothing has to wait until the locks of a dead process run out, least of all a person for an answer.
 *
 * Invariants kept here: 4 (a job is in one place at a time; who held it finds its lock gone, and writes nothing).
 */
import type { Redis } from 'ioredis';
import { defineScript } from './script.js';

/** KEYS active, wait, stalled, marker, events; ARGV the first part of the jobs' keys. As for jobs that have stalled. */
const TAKE_OVER = `
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  redis.call('DEL', ARGV[1] .. id .. ':lock')
  redis.call('SREM', KEYS[3], id)
  redis.call('LREM', KEYS[1], 1, id)
  redis.call('RPUSH', KEYS[2], id)
  redis.call('XADD', KEYS[5], '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
  redis.call('ZADD', KEYS[4], 0, '0')
end
`;

/** Puts what is being worked on back into these queues, as the next to be taken. */
export async function takeOver(
  client: Redis,
  prefix: string,
  queues: readonly string[],
): Promise<void> {
  const script = defineScript(client, 'droverTakeOver', 5, TAKE_OVER);
  for (const queue of queues) {
    const key = (part: string): string => `${prefix}:${queue}:${part}`;
    await script(...['active', 'wait', 'stalled', 'marker', 'events'].map(key), key(''));
  }
}
