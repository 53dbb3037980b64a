/** A plain BullMQ worker knows no limit: what it returns is bounded in the log and in STATE.yaml all the same. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'bullmq';
import { expect, it } from 'vitest';
import { loadResult } from '../../src/agents/results.js';
import { logFile } from '../../src/log/database.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const BYTES = 20_000_000;

it('a result of 20 MB is a reference in the log, and its dependents get it', async () => {
  const dataDir = bed.folder();
  const drover = await bed.start({ dataDir });
  const worker = new Worker('plain', async () => 'x'.repeat(BYTES), {
    connection: { ...bed.redis().connection, maxRetriesPerRequest: null },
    prefix: drover.prefix,
  });
  worker.on('error', () => undefined);
  await drover.agent('developer', async (task) => {
    const { large } = await task.needs();
    return (large as string).length;
  });
  const goal = await drover.enqueue({
    title: 'Large',
    project: 'shop',
    tasks: [
      { name: 'large', capability: 'plain' },
      { name: 'counts', capability: 'developer', needs: ['large'] },
    ],
  });
  const { tasks } = await goal.done();
  await worker.close();
  const reference = { $result: expect.stringMatching(/^[0-9a-f]{64}$/), bytes: BYTES + 2 };
  expect(tasks.map(({ result }) => result)).toEqual([reference, BYTES]);
  const found = await loadResult(tasks[0]!.result, join(dataDir, 'results'));
  expect((found as string).length).toBe(BYTES);
  await drover.close();
  expect(statSync(logFile(dataDir)).size).toBeLessThan(1_000_000);
  expect(statSync(join(dataDir, 'projects', 'shop', 'STATE.yaml')).size).toBeLessThan(10_000);
});
