/** Redis that lost its last second: what the log knows to be finished does not run again (invariants 1, 4, 5). */
import { describe, expect, it } from 'vitest';
import type { Redis } from 'ioredis';
import type { Drover, TaskContext } from '../../src/index.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

/** In one step, as Redis itself would have written it. */
const DUMP = `
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  table.insert(found, key)
  table.insert(found, redis.call('PTTL', key))
  table.insert(found, redis.call('DUMP', key))
end
return found
`;

/** Everything below the prefix, as it is now; the returned function brings it back. */
async function snapshot(client: Redis, prefix: string): Promise<() => Promise<void>> {
  const found = (await client.callBuffer('EVAL', DUMP, 0, `${prefix}:*`)) as (Buffer | number)[];
  return async () => {
    await client.unlink(...(await client.keys(`${prefix}:*`)));
    for (let index = 0; index < found.length; index += 3) {
      const [key, ttl, value] = found.slice(index) as [Buffer, number, Buffer];
      await client.restore(key, Math.max(0, ttl), value);
    }
  };
}

/** A task with several dependents, needs of several, and one optional task that fails. */
const tasks = [
  { name: 'n', capability: 'developer' },
  { name: 'opt', capability: 'developer', optional: true, retry: { attempts: 1 } },
  { name: 'd1', capability: 'developer', needs: ['n', 'opt'] },
  { name: 'd2', capability: 'developer', needs: ['n', 'opt'] },
  { name: 'd3', capability: 'developer', needs: ['n', 'd1'] },
  { name: 'join', capability: 'developer', needs: ['d1', 'd2', 'd3', 'n'] },
  { name: 'last', capability: 'tester', needs: ['join', 'n', 'opt'] },
];

async function agents(
  drover: Drover,
  runs: Record<string, number[]>,
  before: (run: number) => Promise<void>,
): Promise<void> {
  await drover.agent(
    'developer',
    async (task: TaskContext) => {
      await before(Object.values(runs).flat().length + 1);
      (runs[task.name] ??= []).push(task.claim);
      if (task.name === 'opt') throw new Error('no luck');
      return task.name;
    },
    { concurrency: 1 },
  );
}

describe('Redis rolled back', () => {
  for (const cut of [1, 2, 3, 4, 5, 6]) {
    it(`to where run ${cut} began: nothing finished runs again, and the goal ends`, async () => {
      const prefix = `rolled${cut}`;
      const options = { prefix, dataDir: bed.folder() };
      const first = await bed.start(options);
      const watcher = await bed.start();
      const { client } = watcher.connection;
      const runs: Record<string, number[]> = {};
      let rollBack: (() => Promise<void>) | undefined;
      await agents(first, runs, async (run) => {
        if (run === cut) rollBack = await snapshot(client, prefix);
      });
      const { id } = await first.enqueue({ title: 'Rolled back', tasks });
      await expect.poll(async () => (await first.goal(id).report()).counts.DONE).toBe(5);
      await first.close();
      const before = structuredClone(runs);
      await rollBack!();
      const second = await bed.start(options);
      await agents(second, runs, async () => undefined);
      await second.agent('tester', (task) => task.needs());
      const report = await second.goal(id).done();
      expect(report.text).toContain('6/7 tasks complete');
      expect(report.tasks[6]!.result).toEqual({ join: 'join', n: 'n', opt: null });
      expect(runs).toEqual(before);
      expect(bed.errors).toEqual([]);
    });
  }

  it('behind a claim that the log knows: the next claim has a higher number', async () => {
    const options = { prefix: 'claims', dataDir: bed.folder() };
    const retry = { attempts: 5, backoff: { type: 'fixed', delay: 10, jitter: 0 } } as const;
    const first = await bed.start(options);
    const watcher = await bed.start();
    const claims: number[] = [];
    let rollBack: (() => Promise<void>) | undefined;
    await first.agent('developer', async (task) => {
      claims.push(task.claim);
      if (task.claim === 1) rollBack = await snapshot(watcher.connection.client, 'claims');
      // Its lock would be in the way of the next claim for a while.
      if (task.claim < 3) throw new Error('again');
      await new Promise((resolve) => {
        task.signal.addEventListener('abort', resolve);
      });
    });
    const { id } = await first.enqueue({
      title: 'Claims',
      tasks: [{ name: 'a', capability: 'developer', retry }],
    });
    await expect.poll(() => claims).toEqual([1, 2, 3]);
    await expect.poll(async () => (await first.goal(id).report()).tasks[0]!.claims).toBe(3);
    await first.close({ force: true });
    await rollBack!();
    const second = await bed.start(options);
    await second.agent('developer', (task) => {
      claims.push(task.claim);
      return task.addTasks([{ name: 'added', capability: 'tester' }]);
    });
    await second.agent('tester', () => 1);
    expect((await second.goal(id).done()).text).toBe('Done! 2/2 tasks complete');
    expect(claims[3]).toBeGreaterThan(3);
  });
});
