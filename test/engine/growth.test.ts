/** Tasks added to a running goal, in every order of events. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { connectDrover } from '../../src/index.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const quick = { attempts: 3, backoff: { type: 'fixed', delay: 20, jitter: 0 } } as const;

describe('an added task', () => {
  it('starts also where its need is done while it is being submitted', async () => {
    const drover = await bed.start();
    const finish = new Map<string, () => void>();
    await drover.agent(
      'slow',
      async ({ goal }) => new Promise<void>((resolve) => finish.set(goal.id, resolve)),
      { concurrency: 100 },
    );
    await drover.agent(
      'developer',
      async (task) => {
        if (task.name !== 'adder') return 1;
        while (!finish.has(task.goal.id)) await delay(5);
        const added = task.addTasks([{ name: 'x', capability: 'developer', needs: ['need'] }]);
        await delay(Number(task.with['after']));
        finish.get(task.goal.id)!();
        return added;
      },
      { concurrency: 100 },
    );
    const goals = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        drover.enqueue({
          title: `Race ${index}`,
          tasks: [
            { name: 'need', capability: 'slow' },
            { name: 'adder', capability: 'developer', with: { after: index % 20 } },
          ],
        }),
      ),
    );
    const reports = await Promise.all(goals.map((goal) => goal.done()));
    expect(new Set(reports.map(({ text }) => text))).toEqual(new Set(['Done! 3/3 tasks complete']));
  });

  it('is no need of the task that added it, also when its goal was rebuilt meanwhile', async () => {
    const drover = await bed.start();
    const seen: unknown[] = [];
    await drover.agent('developer', async (task) => {
      if (task.name === 'first') return 1;
      seen.push(await task.needs());
      return task.addTasks([{ name: 'part', capability: 'late' }], { wait: true });
    });
    const goal = await drover.enqueue({
      title: 'Rebuilt',
      tasks: [
        { name: 'first', capability: 'developer' },
        { name: 'adder', capability: 'developer', needs: ['first'] },
      ],
    });
    // It has added its task and let its worker go.
    for await (const { event } of goal.events()) if (event.type === 'task.suspended') break;
    expect((await goal.report()).tasks).toHaveLength(3);
    await drover.connection.client.flushall();
    await drover.agent('late', () => 2);
    const { tasks } = await goal.done();
    expect(tasks[1]).toMatchObject({ state: 'DONE', result: { part: 2 } });
    expect(seen).toEqual([{ first: 1 }, { first: 1 }]);
  });

  it('is waited for also by a handler that catches what ends its attempt', async () => {
    const drover = await bed.start();
    await drover.agent('developer', async (task) => {
      if (task.name === 'part') return 5;
      try {
        return await task.addTasks([{ name: 'part', capability: 'developer' }], { wait: true });
      } catch {
        return 'caught';
      }
    });
    const goal = await drover.enqueue({
      title: 'Caught',
      tasks: [{ name: 'a', capability: 'developer', retry: quick }],
    });
    expect((await goal.done()).tasks[0]).toMatchObject({
      state: 'DONE',
      result: { part: 5 },
      attempts: 1,
    });
  });
});

describe('adding tasks', () => {
  it('is refused where the handler added others when it ran before', async () => {
    const drover = await bed.start();
    const errors: string[] = [];
    await drover.agent('developer', async (task) => {
      if (task.name !== 'a') return;
      await task
        .addTasks([{ name: `part ${task.attempt}`, capability: 'developer' }])
        .catch((error: Error) => errors.push(error.message));
      if (task.attempt === 1) throw new Error('once more');
    });
    const goal = await drover.enqueue({
      title: 'Varies',
      tasks: [{ name: 'a', capability: 'developer', retry: quick }],
    });
    expect((await goal.done()).text).toBe('Done! 2/2 tasks complete');
    expect(errors).toEqual([expect.stringContaining('‘part 2’ is not among them')]);
  });

  it('refuses a claim that lost its task, and not the next one', async () => {
    const prefix = 'growth';
    const timing = { lockDuration: 3_000, stalledInterval: 500 };
    const drover = await bed.start({ prefix });
    const client = await connectDrover({
      redis: bed.redis().connection,
      prefix,
      dataDir: bed.folder(),
      timing,
      onError: () => undefined,
    });
    const added: Record<number, unknown> = {};
    const part = { name: 'part', capability: 'tester' };
    const happened = new Set<string>();
    await client.agent('developer', async (task) => {
      const add = async (): Promise<unknown> =>
        task.addTasks([part]).catch(({ code }: { code: string }) => code);
      if (task.claim === 1) {
        // As if it had been stopped for a while.
        while (!happened.has('lost')) await delay(10);
        added[1] = await add();
        happened.add('tried');
        return;
      }
      happened.add('lost');
      while (!happened.has('tried')) await delay(10);
      added[2] = await add();
    });
    await client.agent('tester', () => 1);
    const goal = await drover.enqueue({
      title: 'Late',
      tasks: [{ name: 'a', capability: 'developer' }],
    });
    for await (const { event } of goal.events()) if (event.type === 'task.active') break;
    await drover.connection.client.del(`${prefix}:developer:task-1:lock`);
    expect((await goal.done()).text).toBe('Done! 2/2 tasks complete');
    await client.close();
    expect(added).toEqual({ 1: 'stale-claim', 2: { part: 'task-2' } });
  });
});

describe('additions side by side', () => {
  it('are each a call of their own, and waited for together', async () => {
    const drover = await bed.start();
    await drover.agent('part', (task) => `${task.name} done`);
    await drover.agent('adder', (task) =>
      Promise.all(
        ['left', 'right'].map((name) =>
          task.addTasks([{ name, capability: 'part' }], { wait: true }),
        ),
      ),
    );
    const goal = await drover.enqueue({
      title: 'Side by side',
      tasks: [{ name: 'adder', capability: 'adder', retry: { attempts: 1 } }],
    });
    const { text, tasks } = await goal.done();
    expect(text).toBe('Done! 3/3 tasks complete');
    expect(tasks[0]!.result).toEqual([{ left: 'left done' }, { right: 'right done' }]);
  });

  it('of no tasks are nothing to add', async () => {
    const drover = await bed.start();
    await drover.agent('adder', (task) => task.addTasks([], { wait: true }));
    const goal = await drover.enqueue({
      title: 'None',
      tasks: [{ name: 'adder', capability: 'adder', retry: { attempts: 1 } }],
    });
    expect((await goal.done()).tasks.map(({ result }) => result)).toEqual([{}]);
  });
});
