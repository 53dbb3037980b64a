/** Closing while something else has ended: nobody waits for what may never come back. */
import { describe, expect, it } from 'vitest';
import { connectDrover } from '../../src/index.js';
import { startRedisServer } from '../../src/queues/redis-server.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

describe('closing while Redis is away', () => {
  it('ends, with a task under way as well, and the next start goes on from there', async () => {
    const dir = bed.folder('redis');
    const options = { dataDir: bed.folder() };
    const server = await startRedisServer({ dir });
    const drover = await bed.start({ ...options, redis: server.connection, prefix: 'away' });
    const client = await connectDrover({
      redis: server.connection,
      prefix: 'away',
      dataDir: bed.folder(),
      onError: () => undefined,
    });
    await drover.agent('developer', ({ signal }) => {
      return new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
    });
    await client.agent('tester', () => 1);
    const { id } = await drover.enqueue({
      title: 'Away',
      tasks: [{ name: 'a', capability: 'developer' }],
    });
    for await (const { event } of drover.goal(id).events()) {
      if (event.type === 'task.active') break;
    }
    await server.stop();
    await client.close();
    await drover.close();

    const again = await startRedisServer({ dir });
    const next = await bed.start({ ...options, redis: again.connection, prefix: 'away' });
    await next.agent('developer', () => 1);
    expect((await next.goal(id).done()).state).toBe('DONE');
    await next.close();
    await again.stop();
  });
});

it('what is asked of a closed Drover is refused, saying so', async () => {
  const drover = await bed.start();
  await drover.close();
  const asked = drover.enqueue({ title: 'Late', tasks: [{ name: 'a', capability: 'work' }] });
  await expect(asked).rejects.toMatchObject({
    code: 'conflict',
    message: 'This Drover is closed.',
  });
});
