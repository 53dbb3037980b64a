/** A Redis that is away for a while, or silent, is told once when that begins and once when it is over, by whoever works with it. */
import { afterEach, expect, it } from 'vitest';
import { connectDrover } from '../../src/index.js';
import { startRedisServer } from '../../src/queues/redis-server.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const TOLD = ['Redis is away; everything goes on when it is back', null];

/** Processes that a test has stopped. */
const stopped = new Set<number>();
afterEach(() => {
  for (const pid of stopped) goOn(pid);
});
function stop(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  stopped.add(pid);
}
function goOn(pid: number): void {
  if (stopped.delete(pid)) process.kill(pid, 'SIGCONT');
}

const meal = {
  title: 'Afterwards',
  tasks: [
    { name: 'make', capability: 'developer' },
    { name: 'test', capability: 'tester', needs: ['make'] },
  ],
};

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

  const goal = await drover.enqueue(meal);
  expect((await goal.done()).text).toBe('Done! 2/2 tasks complete');
  expect([...errors, ...bed.errors]).toEqual([]);
  await client.close();
  expect(troubles).toEqual(TOLD);
  await drover.close();
  await again.stop();
});

it('is told where it keeps its connections and does not answer; what was under way goes on when it does', async () => {
  const server = await startRedisServer({ dir: bed.folder('redis') });
  const told: (readonly [string | null, string])[][] = [[], []];
  const options = { redis: server.connection, prefix: 'silent' };
  const drover = await bed.start({
    ...options,
    onTrouble: (...trouble) => told[0]!.push(trouble),
  });
  const client = await connectDrover({
    ...options,
    dataDir: bed.folder(),
    onTrouble: (...trouble) => told[1]!.push(trouble),
    onError: (error) => bed.errors.push(error.message),
  });
  const runs: string[] = [];
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  await drover.agent('developer', async () => {
    runs.push('make');
    await finished;
    return 'made';
  });
  await client.agent('tester', () => void runs.push('test'));
  const goal = await drover.enqueue(meal);
  await expect.poll(() => runs).toEqual(['make']);

  stop(server.pid);
  const silent = `Redis at ${server.connection.path} has not answered for 5 s; everything goes on when it answers again`;
  const begin = [silent, 'redis'] as const;
  await expect.poll(() => told, { timeout: 20_000 }).toEqual([[begin], [begin]]);
  finish();
  goOn(server.pid);
  const whole = [begin, [null, 'redis']];
  await expect.poll(() => told).toEqual([whole, whole]);
  expect((await goal.done()).text).toBe('Done! 2/2 tasks complete');
  expect(runs.at(-1)).toBe('test');
  expect(bed.errors).toEqual([]);
  await client.close();
  await drover.close();
  await server.stop();
});

it('keeps nobody from closing while it is silent', async () => {
  const server = await startRedisServer({ dir: bed.folder('redis') });
  const options = { redis: server.connection, prefix: 'closed' };
  const drover = await bed.start(options);
  const client = await connectDrover({ ...options, dataDir: bed.folder(), onTrouble: () => {} });
  await drover.agent('developer', () => 'made');
  await client.agent('tester', () => 'tested');
  stop(server.pid);
  await client.close();
  await drover.close();
  goOn(server.pid);
  await server.stop();
});
