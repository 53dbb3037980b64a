/** How many agents there are at the moment, asked of Redis by whoever wants to know. */
import { connect, type RedisSource } from '../queues/connection.js';
import { Jobs } from '../queues/jobs.js';

/**
 * @returns the number of workers that are connected for each capability
 * @throws DroverError `redis-unreachable`
 */
export async function countAgents(
  source: RedisSource,
  prefix: string,
  capabilities: readonly string[],
): Promise<Map<string, number>> {
  const connection = await connect(source);
  const jobs = new Jobs(connection.client, prefix);
  try {
    const counts = capabilities.map(async (name) => [name, await jobs.workers(name)] as const);
    return new Map(await Promise.all(counts));
  } finally {
    await jobs.close();
    await connection.close();
  }
}
