/** How queues stand at the moment, asked of Redis by whoever wants to know. */
import type { QueueNow } from '../projections/waits.js';
import { connect, type RedisSource } from '../queues/connection.js';
import { Jobs } from '../queues/jobs.js';

/**
 * @returns for each capability who works on it and who waits
 * @throws DroverError `redis-unreachable`
 */
export async function surveyQueues(
  source: RedisSource,
  prefix: string,
  capabilities: readonly string[],
): Promise<Map<string, QueueNow>> {
  const connection = await connect(source);
  const jobs = new Jobs(connection.client, prefix);
  try {
    const found = capabilities.map(async (name): Promise<[string, QueueNow]> => {
      const [agents, line, nextIn] = await Promise.all([
        jobs.workers(name),
        jobs.line(name),
        jobs.nextIn(name),
      ]);
      return [name, { agents, line, nextIn }];
    });
    return new Map(await Promise.all(found));
  } finally {
    await jobs.close();
    await connection.close();
  }
}
