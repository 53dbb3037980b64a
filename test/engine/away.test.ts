/** A Redis that is away for a while is told once when it goes and once when it is back, by whoever works with it. */
import { expect, it } from 'vitest';
import { connectDrover } from '../../src/index.js';
import { startRedisServer } from '../../src/queues/redis-server.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const TOLD = ['Redis is away; everything goes on when it is back', null];

it('is told by a supervisor and by agents elsewhere, without an error for each try to reach it', async () => {
  const dir = bed.folder('redis');
  const server = await startRedisServer({ dir });
  const drover = await bed.start({ redis: server.connection, prefix: 'away' });
  const troubles: (string | null)[] = [];
  const errors: string[] = [];
  const client = await connectDrover({
    redis: server.connection,
    prefix: 'away',
    dataDir: bed.folder(),
    onTrouble: (reason) => troubles.push(reason),
    onError: (error) => errors.push(error.message),
  });
  await client.agent('tester', () => 'tested');
  await drover.agent('developer', () => 'made');

  let tries = 0;
  client.connection.client.on('close', () => (tries += 1));
  await server.stop();
  await expect.poll(() => tries).toBeGreaterThan(3);
  const again = await startRedisServer({ dir });
  await expect.poll(() => [troubles, bed.troubles]).toEqual([TOLD, TOLD]);

  const goal = await drover.enqueue({
    title: 'Afterwards',
    tasks: [
      { name: 'make', capability: 'developer' },
      { name: 'test', capability: 'tester', needs: ['make'] },
    ],
  });
  expect((await goal.done()).text).toBe('Done! 2/2 tasks complete');
  expect([...errors, ...bed.errors]).toEqual([]);
  await client.close();
  expect(troubles).toEqual(TOLD);
  await drover.close();
  await again.stop();
});
