/** Which capabilities nobody offers at the moment, asked of Redis by whoever wants to know. */
import { connect, type RedisSource } from '../queues/connection.js';
import { Jobs } from '../queues/jobs.js';

/**
 * @returns those of `capabilities` that no worker is connected for
 * @throws DroverError `redis-unreachable`
 */
export async function absentAgents(
  source: RedisSource,
  prefix: string,
  capabilities: readonly string[],
): Promise<string[]> {
  const connection = await connect(source);
  const jobs = new Jobs(connection.client, prefix);
  try {
    const workers = await Promise.all(capabilities.map((name) => jobs.workers(name)));
    return capabilities.filter((_, index) => workers[index] === 0);
  } finally {
    await jobs.close();
    await connection.close();
  }
}
