/** Effects of what was recorded: carried out in the end, whatever happens to them first (invariant 2). */
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import type { Recording } from '../../src/engine/recording/recording.js';
import type { Drover } from '../../src/index.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

describe('an effect that Redis refuses', () => {
  it('is carried out when Redis has room again', async () => {
    const drover = await bed.start();
    await drover.agent('developer', () => 1);
    const { client } = drover.connection;
    await client.config('SET', 'maxmemory', '1');
    try {
      await expect(
        drover.enqueue({ title: 'Full', tasks: [{ name: 'a', capability: 'developer' }] }),
      ).rejects.toThrow(/OOM/);
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
    expect((await drover.goal('goal-1').done()).state).toBe('DONE');
  });
});

describe('what is asked of a goal while it is being submitted', () => {
  const tasks = [{ name: 'a', capability: 'new', run: 'true' }];

  /** Its capability is new, and the recording thread takes its time with that. */
  async function startSlowly(): Promise<Drover> {
    const drover = await bed.start();
    const recording = drover.ledger as Recording;
    const watch = recording.watch.bind(recording);
    recording.watch = async (queue) => {
      await delay(300);
      await watch(queue);
    };
    return drover;
  }

  it('a cancelled one leaves no job behind', async () => {
    const drover = await startSlowly();
    const [goal] = await Promise.all([
      drover.enqueue({ title: 'Cancelled', tasks }),
      drover.cancel('goal-1'),
    ]);
    expect((await goal.report()).state).toBe('CANCELLED');
    expect(await drover.connection.client.exists(`${drover.prefix}:new:task-1`)).toBe(0);
  });

  it('an edited one is handed out as it was edited', async () => {
    const drover = await startSlowly();
    await Promise.all([
      drover.enqueue({ title: 'Edited', tasks }),
      drover.edit('task-1', { run: 'false' }),
    ]);
    const data = await drover.connection.client.hget(`${drover.prefix}:new:task-1`, 'data');
    expect(JSON.parse(data!).task.run).toBe('false');
  });
});

describe('an optional task that failed', () => {
  it('can be retried while its dependent runs, which does not wait for it again', async () => {
    const drover = await bed.start();
    let open = (): void => undefined;
    const retried = new Promise<void>((resolve) => {
      open = resolve;
    });
    let tries = 0;
    await drover.agent('developer', async (task) => {
      if (task.name === 'after') return retried;
      tries += 1;
      if (tries === 1) throw new Error('no luck');
      open();
      // Still running when its dependent ends.
      while ((await goal.report()).tasks[1]!.state !== 'DONE') await delay(20);
      return 'luck';
    });
    const goal = await drover.enqueue({
      title: 'Optional',
      tasks: [
        { name: 'extra', capability: 'developer', optional: true, retry: { attempts: 1 } },
        { name: 'after', capability: 'developer', needs: ['extra'], retry: { attempts: 1 } },
      ],
    });
    await expect.poll(async () => (await goal.report()).tasks[1]!.state).toBe('ACTIVE');
    await drover.retry('task-1');
    const report = await goal.done();
    expect(report.text).toBe('Done! 2/2 tasks complete');
    expect(report.tasks[0]!.result).toBe('luck');
  });
});

describe('a long chain', () => {
  it('is submitted, and leaves Redis when it is finished', async () => {
    const drover = await bed.start({ projectsDir: null, retention: { age: 0, tasks: 0 } });
    const connection = bed.redis().connection;
    const queue = new Queue('developer', { connection, prefix: drover.prefix });
    const names = Array.from({ length: 5_000 }, (_, index) => `t${index}`);
    const goal = await drover.enqueue({
      title: 'Long',
      tasks: names.map((name, index) => ({
        name,
        capability: 'developer',
        // Two needs each: every task has a relay above it, which makes the tree twice as deep.
        needs: names.slice(Math.max(0, index - 2), index),
      })),
    });
    expect(await queue.getPrioritizedCount()).toBe(1);
    await queue.close();
    await drover.cancel(goal.id);
    await expect.poll(() => drover.ledger.board.goal(goal.id)!.evicted).toBe(true);
    const left = await drover.connection.client.keys(`${drover.prefix}:*:task-*`);
    expect(left).toEqual([]);
    expect(bed.errors).toEqual([]);
  });
});

describe('a task that is retried after its goal has left Redis', () => {
  it('runs, and leaves Redis with its goal once more', async () => {
    const drover = await bed.start({ retention: { age: 0, tasks: 0 } });
    let runs = 0;
    await drover.agent('developer', () => {
      runs += 1;
      throw new Error('no luck');
    });
    const goal = await drover.enqueue({
      title: 'Optional',
      tasks: [{ name: 'a', capability: 'developer', optional: true, retry: { attempts: 1 } }],
    });
    const evictions = (): number =>
      [...drover.ledger.log.events({ goal: goal.id })].filter(
        ({ event }) => event.type === 'goal.evicted',
      ).length;
    await expect.poll(evictions).toBe(1);
    await drover.retry('task-1');
    await expect.poll(() => runs).toBe(2);
    await expect.poll(evictions).toBe(2);
    expect(await drover.connection.client.keys(`${drover.prefix}:*:task-1`)).toEqual([]);
  });
});
