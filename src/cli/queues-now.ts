/** How queues stand, as the Redis of whichever supervisor runs knows them. */
import type { QueueNow } from '../projections/waits.js';
import type { Globals } from './globals.js';
import type { RunningSupervisor } from './presence.js';

/** Queues by capability; undefined where that cannot be asked. */
export async function queuesNow(
  wanted: ReadonlySet<string>,
  supervisor: RunningSupervisor | undefined,
  globals: Globals,
): Promise<ReadonlyMap<string, QueueNow> | undefined> {
  if (wanted.size === 0) return new Map();
  const source = await redisOf(supervisor, globals);
  if (source === undefined) return undefined;
  const prefix = supervisor?.presence?.prefix ?? globals.prefix;
  const { surveyQueues } = await import('../engine/queue-survey.js');
  return await surveyQueues(source, prefix, [...wanted]).catch(() => undefined);
}

/** Agents by capability; undefined where that cannot be asked. */
export async function agentsOffering(
  wanted: ReadonlySet<string>,
  supervisor: RunningSupervisor | undefined,
  globals: Globals,
): Promise<ReadonlyMap<string, number> | undefined> {
  return agentsOf(await queuesNow(wanted, supervisor, globals));
}

export const agentsOf = (
  queues: ReadonlyMap<string, QueueNow> | undefined,
): ReadonlyMap<string, number> | undefined =>
  queues && new Map([...queues].map(([name, { agents }]) => [name, agents]));

async function redisOf(
  supervisor: RunningSupervisor | undefined,
  { redis, dataDir }: Globals,
): Promise<string | { path: string } | undefined> {
  if (redis !== undefined) return redis;
  if (!supervisor || (supervisor.presence && supervisor.presence.redis !== null)) return undefined;
  const { redisSocketOf } = await import('../queues/redis-process.js');
  return { path: redisSocketOf(dataDir) };
}
