/** Never more at once than a limit allows, in however many processes, and nothing waits for ever. */
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectDrover, type Drover } from '../../src/index.js';
import { testBed } from '../support/redis.js';
import { agree } from './steering-support.js';

const bed = testBed();

/** Counts what runs, by the names under which a task counts. */
class Meter {
  readonly most = new Map<string, number>();
  /**
   * Tasks stay until so many of a name have run at once: else the first might be over before the next one begins, and
   * nobody would see whether it may.
   */
  readonly together = new Map<string, number>();
  private readonly running = new Map<string, number>();

  async run(names: readonly string[], ms: number): Promise<void> {
    for (const name of names) {
      const count = (this.running.get(name) ?? 0) + 1;
      this.running.set(name, count);
      this.most.set(name, Math.max(this.most.get(name) ?? 0, count));
    }
    do await delay(ms);
    while (names.some((name) => this.most.get(name)! < (this.together.get(name) ?? 0)));
    for (const name of names) this.running.set(name, this.running.get(name)! - 1);
  }
}

const namesOf = (task: { project: string; with: Readonly<Record<string, unknown>> }): string[] => [
  task.project,
  ...(typeof task.with['key'] === 'string' ? [task.with['key']] : []),
];

/** Agents beside the supervisor's own process, as another process would have them. */
const beside = (drover: Drover): ReturnType<typeof connectDrover> =>
  connectDrover({
    redis: bed.redis().connection,
    prefix: drover.prefix,
    dataDir: bed.folder(),
    onError: (error) => bed.errors.push(error.message),
  });

const quick = { attempts: 2, backoff: { type: 'fixed', delay: 5, jitter: 0 } } as const;

describe('a limit on a key', () => {
  it('holds over goals, projects and capabilities, uses no attempt and leaves nothing behind', async () => {
    const drover = await bed.start();
    const other = await beside(drover);
    const meter = new Meter();
    meter.together.set('db', 2);
    const handle = async (task: { project: string; with: Record<string, unknown> }) =>
      meter.run(namesOf(task), 3);
    for (const host of [drover, other]) {
      for (const capability of ['developer', 'tester']) {
        await host.agent(capability, handle, { concurrency: 10 });
      }
    }
    const goals = await Promise.all(
      ['a', 'b'].map((project) =>
        drover.enqueue({
          title: project,
          project,
          tasks: Array.from({ length: 30 }, (_, index) => ({
            name: `t${index}`,
            capability: index % 2 === 0 ? 'developer' : 'tester',
            with: { key: 'db' },
            concurrency: { key: 'db', limit: 2 },
          })),
        }),
      ),
    );
    const reports = await Promise.all(goals.map((goal) => goal.done()));
    for (const { text, tasks } of reports) {
      expect(text).toBe('Done! 30/30 tasks complete');
      expect(new Set(tasks.map(({ attempts }) => attempts))).toEqual(new Set([1]));
    }
    expect(meter.most.get('db')).toBe(2);
    const { client } = drover.connection;
    const left = ['held', 'held:key:db', 'slots:key:db'].map((key) => `${drover.prefix}:${key}`);
    // An agent gives a slot back while the end of its task is on its way.
    await expect.poll(() => client.exists(...left)).toBe(0);
    const held = [...drover.ledger.log.events({ types: ['task.held'] })];
    expect(held.length).toBeGreaterThan(0);
    expect(held[0]!.event).toMatchObject({ until: 'key:db' });
    await agree(drover);
    await other.close();
  });

  it('is the smallest that tasks say which use it or wait for it', async () => {
    const drover = await bed.start();
    const meter = new Meter();
    const begun: string[] = [];
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const plan = (title: string, count: number, limit: number) => ({
      title,
      project: title,
      tasks: Array.from({ length: count }, (_, index) => ({
        name: `${title}${index}`,
        capability: 'developer',
        with: { key: 'db' },
        concurrency: { key: 'db', limit },
      })),
    });
    const strict = await drover.enqueue(plan('strict', 1, 1));
    await drover.agent(
      'developer',
      async (task) => {
        begun.push(task.name);
        if (task.project === 'strict') await released;
        await meter.run(['db'], 3);
      },
      { concurrency: 10 },
    );
    await expect.poll(() => begun).toEqual(['strict0']);
    const loose = await drover.enqueue(plan('loose', 6, 3));
    // All of them are put aside while the one runs that wants to be alone.
    const held = async () =>
      (await loose.report()).tasks.filter(({ heldBy }) => heldBy?.of === 'key db');
    await expect.poll(held).toHaveLength(6);
    expect(begun).toEqual(['strict0']);
    release();
    await Promise.all([strict.done(), loose.done()]);
    expect(begun).toHaveLength(7);
    const { client } = drover.connection;
    await expect.poll(() => client.exists(`${drover.prefix}:key-limits`)).toBe(0);
    // Nobody is left who wanted less: the next ones have what they ask for.
    meter.together.set('db', 3);
    const again = await drover.enqueue(plan('loose', 9, 3));
    await again.done();
    expect(meter.most.get('db')).toBe(3);
  });

  it('is one in a plan', async () => {
    const drover = await bed.start();
    const task = { capability: 'developer', concurrency: { key: 'db', limit: 2 } };
    const other = { ...task, name: 'b', concurrency: { key: 'db' } };
    const plan = { title: 'Two', tasks: [{ ...task, name: 'a' }, other] };
    await expect(drover.enqueue(plan)).rejects.toMatchObject({
      code: 'bad-plan',
      message: expect.stringContaining('‘a’ and ‘b’ allow 2 and 1 of ‘db’ at once') as string,
    });
  });

  it('is free again after a failure, a decline and a wait for added tasks', async () => {
    const drover = await bed.start();
    let declined = false;
    await drover.agent(
      'developer',
      async (task) => {
        if (task.name === 'fails' && task.attempt === 1) throw new Error('once');
        if (task.name === 'declines' && !declined) {
          declined = true;
          return task.decline('not now');
        }
        if (task.name === 'grows') {
          return task.addTasks(
            [{ name: 'part', capability: 'developer', concurrency: { key: 'one' } }],
            { wait: true },
          );
        }
        return null;
      },
      { concurrency: 5 },
    );
    const goal = await drover.enqueue({
      title: 'Ends',
      tasks: ['fails', 'declines', 'grows', 'last'].map((name) => ({
        name,
        capability: 'developer',
        concurrency: { key: 'one' },
        retry: quick,
      })),
    });
    expect((await goal.done()).text).toBe('Done! 5/5 tasks complete');
  });
});

describe('a limit on a project', () => {
  it('holds from when it is set, is kept through a loss of Redis, and ends when it is taken away', async () => {
    const drover = await bed.start();
    const meter = new Meter();
    meter.together.set('shop', 3);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const begun: string[] = [];
    await drover.agent(
      'developer',
      async (task) => {
        begun.push(task.name);
        if (task.project === 'stuck') return released;
        return meter.run([task.project], 5);
      },
      { concurrency: 10 },
    );
    await drover.limit({ scope: 'project', name: 'shop', concurrency: 3 }, 'shared machine');
    const side = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ name: `t${index}`, capability: 'developer' }));
    const shop = await drover.enqueue({ title: 'Shop', project: 'shop', tasks: side(30) });
    await shop.done();
    expect(meter.most.get('shop')).toBe(3);

    await drover.connection.client.flushall();
    await expect
      .poll(async () => drover.connection.client.hgetall(`${drover.prefix}:limits`))
      .toEqual({ 'project:shop': '3' });

    await drover.limit({ scope: 'project', name: 'stuck', concurrency: 1 });
    const stuck = await drover.enqueue({ title: 'Stuck', project: 'stuck', tasks: side(4) });
    const heldTasks = (): number =>
      [...drover.ledger.board.goal(stuck.id)!.tasks.values()].filter(({ held }) => held).length;
    await expect.poll(heldTasks).toBe(3);
    begun.length = 0;
    await drover.limit({ scope: 'project', name: 'stuck', concurrency: null });
    await expect.poll(() => begun.length).toBe(3);
    release();
    expect((await stuck.done()).text).toBe('Done! 4/4 tasks complete');
    const [set] = [...drover.ledger.log.events({ goal: '', types: ['limit.set'] })];
    expect(set).toMatchObject({
      project: 'shop',
      by: expect.any(String),
      event: { why: 'shared machine' },
    });
  });
});

describe('a limit on a capability', () => {
  it('holds over several agents, and its rate over time', async () => {
    const drover = await bed.start();
    await drover.limit({ scope: 'capability', name: 'developer', concurrency: 2, rate: null });
    await drover.limit({
      scope: 'capability',
      name: 'mailer',
      concurrency: null,
      rate: { max: 2, per: 400 },
    });
    const other = await beside(drover);
    const meter = new Meter();
    meter.together.set('developer', 2);
    for (const host of [drover, other]) {
      await host.agent('developer', async () => meter.run(['developer'], 5), { concurrency: 5 });
      await host.agent('mailer', () => null, { concurrency: 5 });
    }
    const goal = await drover.enqueue({
      title: 'Both',
      tasks: Array.from({ length: 16 }, (_, index) => ({
        name: `t${index}`,
        capability: index < 10 ? 'developer' : 'mailer',
      })),
    });
    const { tasks } = await goal.done();
    expect(meter.most.get('developer')).toBe(2);
    // Three windows for six mails, by Redis' own clock: two whole ones lie between the first and the last.
    const sent = tasks.slice(10).map(({ assignedAt }) => assignedAt!);
    expect(sent).toHaveLength(6);
    expect(Math.max(...sent) - Math.min(...sent)).toBeGreaterThan(400);
    await other.close();
  });
});

describe.each([
  ['project', { scope: 'project', name: 'shop' }],
  ['capability', { scope: 'capability', name: 'developer', rate: null }],
] as const)('a limit on a %s that is lowered while more tasks run', (_, where) => {
  it('lets those end, and no other begin before they are fewer than it allows', async () => {
    const drover = await bed.start();
    const running = new Map<string, () => void>();
    const handle = ({ name }: { name: string }) =>
      new Promise<null>((resolve) => {
        running.set(name, () => {
          running.delete(name);
          resolve(null);
        });
      });
    await drover.agent('developer', handle, { concurrency: 6 });
    await drover.limit({ ...where, concurrency: 3 });
    const tasks = Array.from({ length: 6 }, (__, index) => ({
      name: `t${index}`,
      capability: 'developer',
    }));
    const goal = await drover.enqueue({ title: 'Six', project: 'shop', tasks });
    const done = async (): Promise<number> => (await goal.report()).counts.DONE;
    await expect.poll(() => running.size).toBe(3);
    await drover.limit({ ...where, concurrency: 1 });
    for (let ended = 1; ended <= 6; ended += 1) {
      const [end] = running.values();
      end!();
      await expect.poll(done).toBe(ended);
      const left = Math.min(6 - ended, Math.max(1, 3 - ended));
      await expect.poll(() => running.size).toBe(left);
      // Whatever begins too early would have by then.
      await delay(100);
      expect(running.size).toBe(left);
    }
    expect((await goal.done()).tasks.every(({ attempts }) => attempts === 1)).toBe(true);
  });
});

describe('a rate', () => {
  it('is not used by tasks that are put aside', async () => {
    const drover = await bed.start();
    const rate = { max: 3, per: 3_600_000 };
    await drover.limit({ scope: 'capability', name: 'developer', concurrency: null, rate });
    const begun: string[] = [];
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const handle = async ({ name }: { name: string }): Promise<void> => {
      begun.push(name);
      if (name.startsWith('key')) await released;
    };
    await drover.agent('developer', handle, { concurrency: 10 });
    const keyed = Array.from({ length: 8 }, (_, index) => ({
      name: `key${index}`,
      capability: 'developer',
      priority: 'high' as const,
      concurrency: { key: 'one' },
    }));
    const free = ['free0', 'free1', 'free2'].map((name) => ({ name, capability: 'developer' }));
    const goal = await drover.enqueue({ title: 'Rated', tasks: [...keyed, ...free] });
    await expect.poll(() => begun.length).toBe(3);
    expect(begun.filter((name) => name.startsWith('key'))).toHaveLength(1);
    const limiter = `${drover.prefix}:developer:limiter`;
    await expect.poll(() => drover.connection.client.get(limiter)).toBe('3');
    const held = (): number =>
      [...drover.ledger.board.goal(goal.id)!.tasks.values()].filter((task) => task.held).length;
    await expect.poll(held).toBe(7);
    release();
    // The next of the key is handed back to its queue, and has to wait for the rate as all others.
    // It has no slot yet, so each sweep hands back one more: a look that comes late sees fewer than six.
    await expect.poll(held).toBeLessThan(7);
    expect(begun).toHaveLength(3);
    await drover.limit({ scope: 'capability', name: 'developer', concurrency: null, rate: null });
    expect((await goal.done()).text).toBe('Done! 11/11 tasks complete');
  });
});

describe('limits of all kinds', () => {
  it('are never exceeded, and every task is done', async () => {
    const drover = await bed.start();
    const other = await beside(drover);
    let meter = new Meter();
    for (const host of [drover, other]) {
      await host.agent('developer', async (task) => meter.run(namesOf(task), 2), {
        concurrency: 6,
      });
    }
    const tasks = fc.array(
      fc.record({ project: fc.constantFrom('p', 'q', 'r'), key: fc.constantFrom('', 'k', 'l') }),
      { minLength: 5, maxLength: 40 },
    );
    const limit = fc.integer({ min: 1, max: 3 });
    await fc.assert(
      fc.asyncProperty(tasks, limit, limit, limit, limit, async (wanted, p, q, k, l) => {
        meter = new Meter();
        const limits: Record<string, number> = { p, q, k, l };
        for (const project of ['p', 'q']) {
          await drover.limit({ scope: 'project', name: project, concurrency: limits[project]! });
        }
        const goals = await Promise.all(
          ['p', 'q', 'r'].map(async (project) => {
            const own = wanted.filter((task) => task.project === project);
            if (own.length === 0) return undefined;
            const plan = own.map(({ key }, index) => ({
              name: `t${index}`,
              capability: 'developer',
              with: key === '' ? {} : { key },
              ...(key !== '' && { concurrency: { key, limit: limits[key]! } }),
            }));
            return drover.enqueue({ title: project, project, tasks: plan });
          }),
        );
        for (const goal of goals) expect((await goal?.done())?.state ?? 'DONE').toBe('DONE');
        for (const [name, most] of meter.most) expect(most).toBeLessThanOrEqual(limits[name] ?? 40);
      }),
      { numRuns: 8 },
    );
    await other.close();
  });
});

describe('what is paused', () => {
  it('is put aside as what has to wait for a limit is, and taken up when all of it goes on', async () => {
    const drover = await bed.start();
    const begun: string[] = [];
    const first = await drover.enqueue({
      title: 'Paused',
      project: 'shop',
      tasks: [1, 2, 3].map((index) => ({
        name: `t${index}`,
        capability: 'developer',
        concurrency: { key: 'one' },
      })),
    });
    await drover.pause({ goal: first.id });
    await drover.pause({ project: 'shop' });
    await drover.agent('developer', ({ name }) => void begun.push(name), { concurrency: 3 });
    const heldFor = (): (string | null)[] =>
      [...drover.ledger.board.goal(first.id)!.tasks.values()].map(({ held }) => held);
    const reason = expect.stringMatching(/^paused:/) as string;
    await expect.poll(heldFor).toEqual([reason, reason, reason]);
    expect(await first.report()).toMatchObject({
      paused: true,
      text: 'Paused: 0/3 tasks complete, 3 pending',
      tasks: [{ heldBy: { kind: 'pause', of: first.id } }, {}, {}],
    });
    await drover.resume({ goal: first.id });
    await expect.poll(() => [...drover.ledger.log.events({ types: ['task.held'] })].length).toBe(6);
    expect(begun).toEqual([]);
    await drover.resume({ project: 'shop' });
    const { text, tasks } = await first.done();
    expect(text).toBe('Done! 3/3 tasks complete');
    expect(tasks.map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
  });
});
