/** What Redis loses, the log gives back; what two supervisors would spoil, is refused. */
import { Queue, Worker } from 'bullmq';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Drover } from '../../src/index.js';
import { isPaused } from '../../src/projections/pauses.js';
import { CommandSender } from '../../src/queues/commands.js';
import { connect } from '../../src/queues/connection.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

/** A promise that a test resolves when it likes. */
function latch(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('Redis emptied', () => {
  it('open goals are rebuilt: done tasks and steps do not run again, claims go on above', async () => {
    const drover = await bed.start({ timing: { lockDuration: 3_000, stalledInterval: 500 } });
    const runs: Record<string, number> = {};
    let steps = 0;
    const hold = latch();
    await drover.agent('developer', async (task) => {
      runs[task.name] = (runs[task.name] ?? 0) + 1;
      if (task.name === 'middle') {
        await task.step('once', () => {
          steps += 1;
          return steps;
        });
        if (runs['middle'] === 1) await hold.opened;
      }
      return task.name === 'end' ? task.needs() : task.name;
    });
    const goal = await drover.enqueue({
      title: 'Survive',
      tasks: [
        { name: 'start', capability: 'developer' },
        { name: 'side', capability: 'developer', needs: ['start'] },
        { name: 'middle', capability: 'developer', needs: ['start'] },
        { name: 'end', capability: 'developer', needs: ['middle', 'start', 'side'] },
      ],
    });
    for await (const { event } of goal.events()) if (event.type === 'step.done') break;
    await expect.poll(async () => (await goal.report()).counts.DONE).toBe(2);
    await drover.connection.client.flushall();
    await expect.poll(() => runs['middle']).toBe(2);
    hold.open();
    const report = await goal.done();
    expect(report.text).toBe('Done! 4/4 tasks complete');
    expect(runs).toEqual({ start: 1, side: 1, middle: 2, end: 1 });
    expect(steps).toBe(1);
    expect(report.tasks[2]!.claims).toBe(1_001);
    // The agent counts as the log does.
    const claims = [
      ...drover.ledger.log.events({ goal: goal.id, task: report.tasks[2]!.id }),
    ].flatMap(({ claim }) => claim ?? []);
    expect(claims.at(-1)).toBe(1_001);
    expect(report.tasks[3]!.result).toEqual({ middle: 'middle', start: 'start', side: 'side' });
  });

  it('a failed task that is retried then does not run its finished steps again', async () => {
    const drover = await bed.start();
    let steps = 0;
    await drover.agent('developer', async (task) => {
      await task.step('once', () => (steps += 1));
      if (task.claim === 1) throw new Error('as planned');
      return steps;
    });
    const goal = await drover.enqueue({
      title: 'Survive',
      tasks: [
        { name: 'fails', capability: 'developer', retry: { attempts: 1 } },
        { name: 'waits', capability: 'nobody' },
      ],
    });
    await expect.poll(async () => (await goal.report()).counts.FAILED).toBe(1);
    await drover.connection.client.flushall();
    for await (const { event } of goal.events()) if (event.type === 'goal.resubmitted') break;
    await drover.retry('task-1');
    await expect.poll(async () => (await goal.report()).counts.DONE).toBe(1);
    expect(steps).toBe(1);
  });

  it('a goal that was stuck is rebuilt stuck, and a retry still carries it to its end', async () => {
    const drover = await bed.start();
    let broken = true;
    await drover.agent('developer', (task) => {
      if (task.name === 'a' && broken) throw new Error('broken');
      return 1;
    });
    const goal = await drover.enqueue({
      title: 'Stuck',
      tasks: [
        { name: 'a', capability: 'developer', retry: { attempts: 1 } },
        { name: 'b', capability: 'developer', needs: ['a'] },
        { name: 'c', capability: 'developer', needs: ['a'] },
      ],
    });
    expect((await goal.done()).state).toBe('SETTLED');
    await drover.connection.client.flushall();
    await expect
      .poll(async () => drover.connection.client.exists(`${drover.prefix}:goals:${goal.id}`))
      .toBe(1);
    broken = false;
    await drover.retry((await goal.report()).tasks[0]!.id);
    expect((await goal.done()).text).toBe('Done! 3/3 tasks complete');
  });
});

describe('a supervisor', () => {
  it('that is started again goes on with open goals, and runs nothing twice', async () => {
    const dataDir = bed.folder();
    const options = { dataDir, prefix: 'again' };
    const first = await bed.start(options);
    const runs: string[] = [];
    const { id } = await first.enqueue({
      title: 'Again',
      tasks: [
        { name: 'a', capability: 'developer' },
        { name: 'b', capability: 'tester', needs: ['a'] },
      ],
    });
    await first.agent('developer', (task) => runs.push(task.name));
    await expect.poll(() => runs).toEqual(['a']);
    await first.close();
    const second = await bed.start(options);
    await second.agent('developer', (task) => runs.push(task.name));
    await second.agent('tester', (task) => runs.push(task.name));
    expect((await second.goal(id).done()).state).toBe('DONE');
    expect(runs).toEqual(['a', 'b']);
  });

  it('is refused where another one writes the log, and where another log owns the keys', async () => {
    const dataDir = bed.folder();
    await bed.start({ dataDir, prefix: 'owned' });
    await expect(bed.start({ dataDir, prefix: 'other' })).rejects.toMatchObject({
      code: 'log-locked',
    });
    await expect(bed.start({ dataDir: bed.folder(), prefix: 'owned' })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it('records what happened while it was down, however much', async () => {
    const options = { dataDir: bed.folder(), prefix: 'down' };
    const first = await bed.start(options);
    const tasks = Array.from({ length: 300 }, (_, index) => ({
      name: `t${index}`,
      capability: 'plain',
    }));
    const { id } = await first.enqueue({ title: 'Many', tasks });
    await first.close();
    const connection = bed.redis().connection;
    // A queue of somebody's own, made without a thought, sets the stream's limit back.
    const queue = new Queue('plain', {
      connection,
      prefix: 'down',
      streams: { events: { maxLen: 1_000_000 } },
    });
    await queue.waitUntilReady();
    const worker = new Worker('plain', async () => 'plain result', {
      connection,
      prefix: 'down',
      concurrency: 20,
    });
    await expect.poll(() => queue.getCompletedCount()).toBe(300);
    await worker.close();
    await queue.close();
    const second = await bed.start(options);
    const report = await second.goal(id).done();
    expect(report.text).toBe('Done! 300/300 tasks complete');
    expect(report.tasks[7]!.result).toBe('plain result');
  });
});

describe('what a supervisor held that was killed', () => {
  it('is taken over by the next one at once, whatever locks it left', async () => {
    const prefix = 'killed';
    const forEver = { lockDuration: 600_000, stalledInterval: 600_000 };
    const connection = await connect(bed.redis().connection);
    const sender = new CommandSender(connection.client, prefix, 'somebody');
    const answer = sender.send('pause', { project: 'shop' }, { timeout: 600_000 });
    const { client } = connection;
    const killed = new Worker('commands', null, { connection: client, prefix, ...forEver });
    const take = () => killed.getNextJob('dead', { block: false });
    await expect.poll(take).toBeDefined();
    const drover = await bed.start({ prefix, timing: forEver });
    expect(await answer).toMatchObject({ project: 'shop' });
    const { db } = drover.ledger.log;
    expect(isPaused(db, 'project', 'shop')).toBe(true);
    await killed.close();
    await sender.close();
    await connection.close();
    expect(bed.errors).toEqual([]);
  });
});

describe('a cut stream', () => {
  it('is noticed, and the states are taken from the jobs', async () => {
    const options = { dataDir: bed.folder(), prefix: 'cut' };
    const first = await bed.start(options);
    const { id } = await first.enqueue({
      title: 'Cut',
      tasks: [
        { name: 'a', capability: 'plain' },
        { name: 'b', capability: 'plain', needs: ['a'] },
      ],
    });
    await first.close();
    const connection = bed.redis().connection;
    const worker = new Worker('plain', async () => 'kept', { connection, prefix: 'cut' });
    const queue = new Queue('plain', { connection, prefix: 'cut', skipMetasUpdate: true });
    await expect.poll(() => queue.getCompletedCount()).toBe(2);
    await worker.close();
    await queue.trimEvents(0);
    await queue.close();
    const second = await bed.start(options);
    const report = await second.goal(id).done();
    expect(report.text).toBe('Done! 2/2 tasks complete');
    const types = [...second.ledger.log.events({ goal: id })].map(({ event }) => event.type);
    expect(types).toContain('stream.gap');
  });
});

describe('jobs that somebody removes while a supervisor runs', () => {
  afterEach(() => void vi.useRealTimers());

  const plan = [
    { name: 'a', capability: 'developer' },
    { name: 'b', capability: 'tester', needs: ['a'] },
  ];
  const ways: Readonly<Record<string, (drover: Drover, goal: string) => Promise<unknown>>> = {
    'a task': async (drover) => (await queue(drover, 'developer').getJob('task-1'))!.remove(),
    'what builds on it, and so all': async (drover) =>
      (await queue(drover, 'tester').getJob('task-2'))!.remove(),
    'the goal’s own, and so all': async (drover, goal) =>
      (await queue(drover, 'goals').getJob(goal))!.remove(),
    'a queue’s': async (drover) => queue(drover, 'developer').obliterate({ force: true }),
  };
  const opened: Queue[] = [];
  afterEach(async () => void (await Promise.all(opened.splice(0).map((one) => one.close()))));
  function queue({ prefix }: Drover, name: string): Queue {
    const { connection } = bed.redis();
    const made = new Queue(name, { connection, prefix, skipMetasUpdate: true });
    opened.push(made);
    return made;
  }

  it('a relay with its need: the gates that it would have opened are opened', async () => {
    const drover = await bed.start();
    const goal = await drover.enqueue({
      title: 'Relay',
      tasks: [
        { name: 'a', capability: 'developer' },
        { name: 'b', capability: 'tester', needs: ['a'] },
        { name: 'c', capability: 'tester', needs: ['a'] },
      ],
    });
    await (await queue(drover, 'relays').getJob('task-1.relay'))!.remove();
    await drover.agent('developer', () => 1);
    await drover.agent('tester', (task) => task.needs());
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    const { text, tasks } = await goal.done();
    expect(text).toBe('Done! 3/3 tasks complete');
    expect(tasks[2]!.result).toEqual({ a: 1 });
  });

  it('a relay with its need: its gates are opened by the next supervisor, too', async () => {
    const dataDir = bed.folder();
    const before = await bed.start({ dataDir });
    const goal = await before.enqueue({
      title: 'Relay',
      tasks: [
        { name: 'a', capability: 'developer' },
        { name: 'b', capability: 'tester', needs: ['a'] },
        { name: 'c', capability: 'tester', needs: ['a'] },
      ],
    });
    await (await queue(before, 'relays').getJob('task-1.relay'))!.remove();
    await before.agent('tester', (task) => task.needs());
    await expect.poll(async () => (await goal.report()).counts.DONE).toBe(1);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    const developer = queue(before, 'developer');
    await expect.poll(() => developer.getJob('task-1')).toBeDefined();
    await before.close();
    const after = await bed.start({ dataDir, prefix: before.prefix });
    await after.agent('developer', () => 1);
    await after.agent('tester', (task) => task.needs());
    const { text, tasks } = await after.goal(goal.id).done();
    expect(text).toBe('Done! 3/3 tasks complete');
    expect(tasks[2]!.result).toEqual({ a: 1 });
  });

  it.each(Object.entries(ways))('%s: they are submitted again', async (_, remove) => {
    const drover = await bed.start();
    const goal = await drover.enqueue({ title: 'Removed', tasks: plan });
    await remove(drover, goal.id);
    await drover.agent('developer', () => 1);
    await drover.agent('tester', () => 2);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    expect((await goal.done()).text).toBe('Done! 2/2 tasks complete');
  });
});

describe('any BullMQ worker', () => {
  it('is not believed about a task whose check it did not run, and an agent makes good', async () => {
    const drover = await bed.start();
    const connection = bed.redis().connection;
    const worker = new Worker('python', async () => 'trust me', {
      connection,
      prefix: drover.prefix,
    });
    const goal = await drover.enqueue({
      title: 'Unproven',
      tasks: [{ name: 'a', capability: 'python', check: { run: 'true' } }],
    });
    const report = await goal.done();
    await worker.close();
    expect(report.text).toBe('Stuck: 0/1 tasks complete, 1 failed');
    expect(report.tasks[0]!.error).toContain('`true` was not run');
    await drover.agent('python', () => 'proven');
    await drover.retry(report.tasks[0]!.id);
    expect((await goal.done()).tasks[0]).toMatchObject({ state: 'DONE', result: 'proven' });
  });

  it('takes part in a plan: data in, value out, retries by its own errors', async () => {
    const drover = await bed.start();
    await drover.agent('developer', (task) => task.needs());
    const connection = bed.redis().connection;
    let tries = 0;
    const worker = new Worker(
      'python',
      async (job) => {
        tries += 1;
        if (tries === 1) throw new Error('first try');
        return { seen: (job.data as { task: { name: string } }).task.name };
      },
      { connection, prefix: drover.prefix },
    );
    const retry = { backoff: { type: 'fixed', delay: 10, jitter: 0 } } as const;
    const goal = await drover.enqueue({
      title: 'Mixed',
      tasks: [
        { name: 'foreign', capability: 'python', retry },
        { name: 'one', capability: 'developer', needs: ['foreign'] },
        { name: 'two', capability: 'developer', needs: ['foreign'] },
      ],
    });
    const report = await goal.done();
    await worker.close();
    expect(report.text).toBe('Done! 3/3 tasks complete');
    expect(report.tasks[0]).toMatchObject({ attempts: 2, claims: 2 });
    expect(report.tasks[2]!.result).toEqual({ foreign: { seen: 'foreign' } });
  });
});
