/** A goal's handle says what each task waits for and when the goal may end, as `drover status` does. */
import { expect, it } from 'vitest';
import type { GoalHandle } from '../../src/index.js';
import { startRedisServer } from '../../src/queues/redis-server.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

const waitsOf = async (goal: GoalHandle): Promise<unknown> =>
  Object.fromEntries((await goal.report()).tasks.map(({ name, waits }) => [name, waits]));

it('agents that nobody runs, a slot, its turn, a pause; nothing at the end', async () => {
  const drover = await bed.start();
  let go = (): void => undefined;
  const held = new Promise<void>((resolve) => (go = resolve));
  await drover.agent('work', () => held.then(() => null), { concurrency: 1 });
  await drover.pause({ capability: 'rest' });
  const alone = { key: 'db', limit: 1 };
  const goal = await drover.enqueue({
    title: 'Waits',
    tasks: [
      { name: 'runs', capability: 'work', concurrency: alone, priority: 'high' },
      { name: 'first', capability: 'work', priority: 'normal' },
      { name: 'second', capability: 'work', priority: 'low' },
      { name: 'slot', capability: 'idle', concurrency: alone },
      { name: 'nobody', capability: 'nobody' },
      { name: 'pause', capability: 'rest' },
      { name: 'later', capability: 'nobody', needs: ['nobody'] },
    ],
  });
  await drover.agent('idle', () => null);
  await expect.poll(async () => (await goal.report()).counts).toMatchObject({ ACTIVE: 1 });
  await expect
    .poll(() => waitsOf(goal))
    .toEqual({
      runs: null,
      first: null,
      second: { kind: 'turn', ahead: 1 },
      slot: { kind: 'limit', of: 'key db', limit: 1, by: ['task-1'] },
      nobody: { kind: 'agents', of: 'nobody' },
      pause: { kind: 'pause', of: 'capability rest' },
      later: null,
    });
  await drover.resume({ capability: 'rest' });
  expect((await goal.estimate()).basis.text).toContain('nobody');
  go();
  for (const capability of ['nobody', 'rest']) await drover.agent(capability, () => null);
  const { state, tasks } = await goal.done();
  expect(state).toBe('DONE');
  expect(tasks.map(({ waits }) => waits)).toEqual(tasks.map(() => null));
});

it('what the log knows while Redis is away', async () => {
  const dir = bed.folder('redis');
  const server = await startRedisServer({ dir });
  const drover = await bed.start({ redis: server.connection, prefix: 'waits' });
  await drover.pause({ capability: 'rest' });
  const goal = await drover.enqueue({
    title: 'Away',
    tasks: [
      { name: 'nobody', capability: 'nobody' },
      { name: 'pause', capability: 'rest' },
    ],
  });
  const paused = { kind: 'pause', of: 'capability rest' };
  const nobody = { kind: 'agents', of: 'nobody' };
  expect(await waitsOf(goal)).toEqual({ nobody, pause: paused });
  await server.stop();
  await expect.poll(() => waitsOf(goal)).toEqual({ nobody: null, pause: paused });
  const again = await startRedisServer({ dir });
  await expect.poll(() => waitsOf(goal)).toEqual({ nobody, pause: paused });
  await drover.close();
  await again.stop();
});
