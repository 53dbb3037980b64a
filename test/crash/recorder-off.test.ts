/** While the recorder is off, other programs go on; none of what they did is missing afterwards. */
import { Worker } from 'bullmq';
import { expect, it } from 'vitest';
import { Log } from '../../src/log/log.js';
import { audit } from '../../src/engine/audit/audit.js';
import { PREFIX, stage, until } from './support.js';

const set = stage();
const TASKS = 2_500;
/** With its start and its end, a task leaves ten entries: 25,000, whatever the first supervisor still recorded. */
const STEPS = 8;

it('more than 20,000 events pass while the supervisor is dead, and all of them are recorded', async () => {
  const scene = await set();
  const first = await scene.supervisor();
  // Each need is an event of its dependent and of the queue; progress adds what BullMQ would cut first.
  const tasks = Array.from({ length: TASKS }, (_, index) => ({
    name: `t${index}`,
    capability: 'plain',
    needs: index < TASKS / 2 ? [] : [`t${index - TASKS / 2}`],
  }));
  expect(await first.ask('enqueue', { title: 'Many', tasks })).toMatchObject({
    ok: { goal: 'goal-1' },
  });
  await first.kill();
  const stream = `${PREFIX}:plain:events`;
  const worker = new Worker(
    'plain',
    async (job) => {
      for (let step = 1; step <= STEPS; step += 1) await job.updateProgress(step);
      return job.id;
    },
    {
      connection: { path: scene.redis.socket, maxRetriesPerRequest: null },
      prefix: PREFIX,
      concurrency: 50,
    },
  );
  worker.on('error', () => undefined);
  const entries = await scene.redis.use(async (client) => {
    await until(async () => (await client.zcard(`${PREFIX}:plain:completed`)) === TASKS);
    return client.xlen(stream);
  });
  await worker.close();
  expect(entries).toBeGreaterThan(20_000);
  const second = await scene.supervisor();
  await second.ask('follow', 'goal-1');
  await second.line(({ ended }) => ended === 'goal-1');
  await second.end();
  const log = Log.read(scene.dataDir);
  const count = (type: string): number =>
    [...log.events({ goal: 'goal-1' })].filter(({ event }) => event.type === type).length;
  expect(count('task.assigned')).toBe(TASKS);
  expect(count('task.progressed')).toBe(STEPS * TASKS);
  expect(count('task.completed')).toBe(TASKS);
  expect(count('stream.gap')).toBe(0);
  const { disagreements } = await scene.redis.use((client) =>
    audit({ log, redis: { client, prefix: PREFIX }, running: false }),
  );
  expect(disagreements).toEqual([]);
  log.close();
});
