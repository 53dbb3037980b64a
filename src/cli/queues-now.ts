/** How queues stand, and what stands still, as the Redis of whichever supervisor runs, or was killed, knows it. */
import { messageOf } from '../core/errors.js';
import { agentsOf, type QueuesNow } from '../projections/around.js';
import type { Standstill } from '../projections/inbox.js';
import type { Globals } from './globals.js';
import { ownRedisLeft, redisLeft, type RedisLeft, type RunningSupervisor } from './presence.js';

/** Queues by capability; undefined where that cannot be asked. */
export async function queuesNow(
  wanted: ReadonlySet<string>,
  supervisor: RunningSupervisor | undefined,
  globals: Globals,
): Promise<QueuesNow> {
  if (wanted.size === 0) return new Map();
  const redis = supervisor ? await redisOf(supervisor, globals) : await redisLeft(globals);
  if (!redis) return undefined;
  const { surveyQueues } = await import('../engine/queue-survey.js');
  return await surveyQueues(redis.source, redis.prefix, [...wanted]).catch(() => undefined);
}

/** Agents by capability; undefined where that cannot be asked. */
export async function agentsOffering(
  wanted: ReadonlySet<string>,
  supervisor: RunningSupervisor | undefined,
  globals: Globals,
): Promise<ReadonlyMap<string, number> | undefined> {
  return agentsOf(await queuesNow(wanted, supervisor, globals));
}

/** What keeps a supervisor from recording, or from writing the projects' files, or that its Redis does not answer. */
export async function troublesNow(
  supervisor: RunningSupervisor | undefined,
  globals: Globals,
): Promise<Standstill[]> {
  const redis = supervisor && (await redisOf(supervisor, globals));
  if (!redis) return [];
  const { readTroubles } = await import('../queues/troubles.js');
  const since = Date.parse(supervisor.holder.since);
  return await readTroubles(redis.source, redis.prefix, since).catch((error: unknown) => [
    { about: 'redis' as const, reason: messageOf(error), since: null },
  ]);
}

async function redisOf(
  { presence }: RunningSupervisor,
  globals: Globals,
): Promise<RedisLeft | undefined> {
  const prefix = presence?.prefix ?? globals.prefix;
  if (globals.redis !== undefined) return { source: globals.redis, prefix };
  if (presence && presence.redis !== null) return undefined;
  // A supervisor that told nobody where its Redis is, such as one in a program of the user's, may have another one.
  const own = await ownRedisLeft(globals.dataDir);
  return own && { source: own, prefix };
}
