/** How queues stand at the moment, asked of Redis by whoever wants to know. */
import type { QueuesNow } from '../projections/around.js';
import type { QueueNow } from '../projections/waits.js';
import { connect, type RedisClient, unlessAway } from '../queues/connection.js';
import type { RedisSource } from '../queues/redis-source.js';
import { Queues } from '../queues/queues.js';

/**
 * Over a connection of its own.
 * @returns for each capability who works on it and who waits
 * @throws DroverError `redis-unreachable`
 */
export async function surveyQueues(
  source: RedisSource,
  prefix: string,
  capabilities: readonly string[],
): Promise<Map<string, QueueNow>> {
  const connection = await connect(source);
  const queues = new Queues(connection.client, prefix);
  try {
    return await survey(queues, capabilities);
  } finally {
    await queues.close();
    await connection.close();
  }
}

/** Over the connection that the queues have; undefined where Redis is away or refuses. */
export async function surveyUnlessAway(
  client: RedisClient,
  queues: Queues,
  capabilities: readonly string[],
): Promise<QueuesNow> {
  if (client.status !== 'ready') return undefined;
  let found: QueuesNow;
  const look = async (): Promise<void> => {
    found = await survey(queues, capabilities).catch(() => undefined);
  };
  await unlessAway(client, look());
  return found;
}

async function survey(
  queues: Queues,
  capabilities: readonly string[],
): Promise<Map<string, QueueNow>> {
  const found = capabilities.map(async (name): Promise<[string, QueueNow]> => {
    const [agents, line, nextIn] = await Promise.all([
      queues.workers(name),
      queues.line(name),
      queues.nextIn(name),
    ]);
    return [name, { agents, line, nextIn }];
  });
  return new Map(await Promise.all(found));
}
