/** How queues stand at the moment, asked of Redis by whoever wants to know. */
import type { QueueNow } from '../projections/waits.js';
import { connect } from '../queues/connection.js';
import type { RedisSource } from '../queues/redis-source.js';
import { Queues } from '../queues/queues.js';

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
  const queues = new Queues(connection.client, prefix);
  try {
    const found = capabilities.map(async (name): Promise<[string, QueueNow]> => {
      const [agents, line, nextIn] = await Promise.all([
        queues.workers(name),
        queues.line(name),
        queues.nextIn(name),
      ]);
      return [name, { agents, line, nextIn }];
    });
    return new Map(await Promise.all(found));
  } finally {
    await queues.close();
    await connection.close();
  }
}
