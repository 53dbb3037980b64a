/** The recording thread ends by itself: another takes its place, and nothing is lost, doubled or left waiting. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import type { Recording } from '../../src/engine/recording/recording.js';
import { connectDrover, type Drover } from '../../src/index.js';
import { listGoals } from '../../src/projections/goal-list.js';
import { testBed } from '../support/redis.js';
import { agree } from './steering-support.js';

const bed = testBed();

/** The thread that runs; none between the end of one and the start of the next. */
function threadOf({ ledger }: Drover): Worker | undefined {
  const thread = Reflect.get(ledger, 'thread') as object | undefined;
  return thread && (Reflect.get(thread, 'worker') as Worker);
}

async function killThread(drover: Drover): Promise<void> {
  await expect.poll(() => threadOf(drover)).toBeDefined();
  await threadOf(drover)!.terminate();
}

describe('a recording thread that is killed', () => {
  it('is replaced while agents go on, again and again; everything is recorded once', async () => {
    const drover = await bed.start();
    let ran = 0;
    let ranWithoutThread = 0;
    await drover.agent(
      'developer',
      async (task) => {
        await delay(2);
        ran += 1;
        if (!threadOf(drover)) ranWithoutThread += 1;
        return task.name;
      },
      { concurrency: 4 },
    );
    const tasks = Array.from({ length: 60 }, (_, index) => ({
      name: `t${index}`,
      capability: 'developer',
      needs: index < 3 ? [] : [`t${index - 3}`, `t${index - 2}`],
    }));
    const goals = [];
    for (let round = 0; round < 4; round += 1) {
      goals.push(await drover.enqueue({ title: `Round ${round}`, tasks }));
      await delay(20 * round);
      await killThread(drover);
      expect(bed.troubles.at(-1)).toContain('the recording thread has ended');
    }
    for (const goal of goals) expect((await goal.done()).text).toBe('Done! 60/60 tasks complete');
    expect(bed.troubles.at(-1)).toBeNull();
    expect(ran).toBe(240);
    expect(ranWithoutThread).toBeGreaterThan(0);
    await agree(drover);
  });

  it('is replaced when an error was thrown in it; the reason is told', async () => {
    const drover = await bed.start();
    await drover.agent('developer', () => 1);
    threadOf(drover)!.postMessage(null);
    await expect.poll(() => bed.troubles).toHaveLength(2);
    expect(bed.troubles).toEqual([expect.stringMatching(/has ended: Cannot read/), null]);
    const goal = await drover.enqueue({
      title: 'After',
      tasks: [{ name: 'a', capability: 'developer' }],
    });
    expect((await goal.done()).state).toBe('DONE');
  });

  it('leaves no command undone or doubled whose answer was lost with it', async () => {
    const drover = await bed.start();
    const client = await connectDrover({
      redis: bed.redis().connection,
      prefix: drover.prefix,
      dataDir: bed.folder(),
    });
    const asked = [];
    for (let round = 0; round < 8; round += 1) {
      asked.push(
        client.enqueue(
          { title: `Ask ${round}`, tasks: [{ name: 'a', capability: 'developer' }] },
          { timeout: 60_000 },
        ),
      );
      if (round % 2 === 0) await killThread(drover);
    }
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ goal }) => goal)).size).toBe(8);
    expect(listGoals(drover.ledger.log.db)).toHaveLength(8);
    await agree(drover);
    await client.close();
  });

  it('records once what code asks for, and answers it, wherever it ends in between', async () => {
    const drover = await bed.start();
    const titles = Array.from({ length: 8 }, (_, index) => `Code ${index}`);
    for (const pair of [titles.slice(0, 2), titles.slice(2, 4), titles.slice(4)]) {
      const asked = pair.map((title) =>
        drover.enqueue({ title, tasks: [{ name: title, capability: 'developer' }] }),
      );
      await delay(pair.length);
      await killThread(drover);
      await Promise.all(asked);
    }
    const recorded = listGoals(drover.ledger.log.db).map(({ title }) => title);
    expect(recorded.toSorted()).toEqual(titles);
    await agree(drover);
  });

  it('still keeps to itself the files that somebody holds', async () => {
    const dataDir = bed.folder();
    const drover = await bed.start({ dataDir });
    await drover.agent('developer', () => 1);
    const file = join(dataDir, 'projects', 'shop', 'STATE.yaml');
    await (drover.ledger as Recording).holdingFiles('shop', async () => {
      await killThread(drover);
      const goal = await drover.enqueue({
        title: 'Held',
        project: 'shop',
        tasks: [{ name: 'a', capability: 'developer' }],
      });
      await goal.done();
      await delay(300);
      expect(existsSync(file)).toBe(false);
    });
    await expect.poll(() => existsSync(file)).toBe(true);
  });
});

it('gives up a thread that ends again and again, says so, and closes all the same', async () => {
  const drover = await bed.start();
  Reflect.set(drover.ledger, 'failures', 10);
  await threadOf(drover)!.terminate();
  await expect.poll(() => bed.troubles.at(-1)).toContain('Nothing is recorded any more');
  const asked = drover.enqueue({ title: 'Late', tasks: [{ name: 'a', capability: 'work' }] });
  await expect(asked).rejects.toMatchObject({
    code: 'log-unwritable',
    remedy: expect.stringContaining('Start Drover again'),
  });
  await drover.close();
});
