/** How many agents offer what is asked for, as the Redis of whichever supervisor runs knows them. */
import type { Globals } from './globals.js';
import type { RunningSupervisor } from './presence.js';

/** Agents by capability; undefined where that cannot be asked. */
export async function agentsOffering(
  wanted: ReadonlySet<string>,
  supervisor: RunningSupervisor | undefined,
  globals: Globals,
): Promise<ReadonlyMap<string, number> | undefined> {
  if (wanted.size === 0) return new Map();
  const source = await redisOf(supervisor, globals);
  if (source === undefined) return undefined;
  const prefix = supervisor?.presence?.prefix ?? globals.prefix;
  const { countAgents } = await import('../engine/count-agents.js');
  return await countAgents(source, prefix, [...wanted]).catch(() => undefined);
}

async function redisOf(
  supervisor: RunningSupervisor | undefined,
  { redis, dataDir }: Globals,
): Promise<string | { path: string } | undefined> {
  if (redis !== undefined) return redis;
  if (!supervisor || (supervisor.presence && supervisor.presence.redis !== null)) return undefined;
  const { redisSocketOf } = await import('../queues/redis-process.js');
  return { path: redisSocketOf(dataDir) };
}
