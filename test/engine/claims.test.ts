/** Claims: who holds a task, and what becomes of those that held it (invariant 5). */
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { testBed } from '../support/redis.js';

const bed = testBed();
const quick = { attempts: 3, backoff: { type: 'fixed', delay: 20, jitter: 0 } } as const;
/** Shorter than the defaults, and longer than a busy machine holds an event loop up. */
const hasty = { timing: { lockDuration: 3_000, stalledInterval: 500 } };

/** A promise that a test resolves when it likes. */
function latch(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('a claim', () => {
  it('is refused after its attempt, also when the same worker holds the task again under the same token', async () => {
    const drover = await bed.start();
    const again = latch();
    const tried = latch();
    let refused: unknown;
    await drover.agent(
      'developer',
      async (task) => {
        // Between the two claims of `a`: the worker takes all three under one token.
        if (task.name === 'b') return delay(150, 1);
        if (task.claim === 2) {
          again.open();
          await tried.opened;
          return 1;
        }
        // Work that nobody waits for outlives its attempt.
        void again.opened
          .then(() => task.step('late', () => 1))
          .catch((error: unknown) => {
            refused = error;
          })
          .finally(tried.open);
        throw new Error('first try');
      },
      { concurrency: 1 },
    );
    const goal = await drover.enqueue({
      title: 'Late',
      tasks: [
        { name: 'a', capability: 'developer', retry: quick, priority: 'urgent' },
        { name: 'b', capability: 'developer' },
      ],
    });
    expect((await goal.done()).state).toBe('DONE');
    expect(refused).toMatchObject({ code: 'stale-claim' });
    const types = [...drover.ledger.log.events({ goal: goal.id })].map(({ event }) => event.type);
    expect(types).not.toContain('step.done');
  });

  it('is not ended before the lines are written of a handler that returns at once', async () => {
    const drover = await bed.start();
    await drover.agent('developer', (task) => {
      task.log('first');
      task.log('second');
    });
    const goal = await drover.enqueue({
      title: 'Lines',
      tasks: [{ name: 'a', capability: 'developer' }],
    });
    expect((await goal.done()).state).toBe('DONE');
    const { client } = drover.connection;
    expect(await client.lrange(`${drover.prefix}:developer:task-1:logs`, 0, -1)).toEqual([
      'first',
      'second',
    ]);
  });

  it('tells its handler when its lock is lost', async () => {
    const drover = await bed.start(hasty);
    let reason: unknown;
    await drover.agent('developer', async ({ claim, signal }) => {
      if (claim > 1) return;
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      reason = signal.reason;
    });
    const goal = await drover.enqueue({
      title: 'Lost',
      tasks: [{ name: 'a', capability: 'developer' }],
    });
    for await (const { event } of goal.events()) if (event.type === 'task.active') break;
    await drover.connection.client.del(`${drover.prefix}:developer:task-1:lock`);
    const report = await goal.done();
    expect(reason).toMatchObject({ code: 'stale-claim' });
    // Losing it was no failed attempt.
    expect(report.tasks[0]).toMatchObject({ state: 'DONE', claims: 2, attempts: 1 });
  });

  it('keeps its lock when an earlier one of the same process ends', async () => {
    const drover = await bed.start(hasty);
    const second = latch();
    await drover.agent('developer', async ({ claim }) => {
      if (claim === 1) return second.opened;
      second.open();
      await delay(5_000);
    });
    const goal = await drover.enqueue({
      title: 'Kept',
      tasks: [{ name: 'a', capability: 'developer' }],
    });
    for await (const { event } of goal.events()) if (event.type === 'task.active') break;
    await drover.connection.client.del(`${drover.prefix}:developer:task-1:lock`);
    expect((await goal.done()).tasks[0]).toMatchObject({ state: 'DONE', claims: 2 });
  });

  it('has a higher number than all before it, also when somebody removed the job', async () => {
    const drover = await bed.start();
    const claims: number[] = [];
    let broken = true;
    await drover.agent('developer', (task) => {
      claims.push(task.claim);
      if (broken) throw new Error('broken');
    });
    const goal = await drover.enqueue({
      title: 'Removed',
      tasks: [{ name: 'a', capability: 'developer', retry: { ...quick, attempts: 2 } }],
    });
    await goal.done();
    const { connection } = bed.redis();
    const queue = new Queue('developer', {
      connection,
      prefix: drover.prefix,
      skipMetasUpdate: true,
    });
    await queue.remove('task-1');
    await queue.close();
    broken = false;
    await drover.retry('task-1');
    expect((await goal.done()).tasks[0]).toMatchObject({ state: 'DONE', claims: 3 });
    expect(claims).toEqual([1, 2, 3]);
  });
});

describe('agents of one process', () => {
  it('share one subscription, which ends with them', async () => {
    const watcher = await bed.start();
    const { client } = watcher.connection;
    const subscriptions = async (): Promise<number> =>
      String(await client.client('LIST', 'TYPE', 'PUBSUB'))
        .split('\n')
        .filter((line) => line.includes('addr=')).length;
    const drover = await bed.start();
    await Promise.all(['a', 'b', 'c'].map((capability) => drover.agent(capability, () => 1)));
    // Those of the test before may still be on their way out.
    await expect.poll(subscriptions).toBe(1);
    await drover.close();
    await expect.poll(subscriptions).toBe(0);
  });
});
