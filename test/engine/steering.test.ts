/** People pause, cancel, skip, retry, edit and add while goals run. */
import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { ENGINE_QUEUES } from '../../src/core/ids.js';
import type { Drover } from '../../src/engine/drover.js';
import { listPauses } from '../../src/projections/pauses.js';
import { askOffline } from '../../src/engine/offline.js';
import { testBed } from '../support/redis.js';
import { agree, eventsOf, stateOf } from './steering-support.js';

const bed = testBed();

/** Holds tasks until they are let go, by name; the others end at once. */
async function holding(drover: Drover, held: readonly string[]) {
  const release = new Map<string, () => void>();
  const aborted = new Set<string>();
  const runs: string[] = [];
  await drover.agent('work', async (task) => {
    runs.push(task.name);
    if (!held.includes(task.name)) return task.with;
    await new Promise<void>((resolve) => {
      release.set(task.name, resolve);
      task.signal.addEventListener('abort', () => {
        aborted.add(task.name);
        resolve();
      });
    });
    return task.with;
  });
  return { release, aborted, runs };
}

const chain = [
  { name: 'a', capability: 'work' },
  { name: 'b', capability: 'work', needs: ['a'] },
  { name: 'c', capability: 'work', needs: ['b'] },
  { name: 'other', capability: 'work' },
];

describe('pausing', () => {
  it('a goal lets what runs go on, begins nothing and uses no attempt', async () => {
    const drover = await bed.start();
    const { release, runs } = await holding(drover, ['a']);
    const goal = await drover.enqueue({ title: 'Pause', tasks: chain });
    await expect.poll(() => release.has('a')).toBe(true);
    await expect.poll(() => stateOf(goal, 'other')).toBe('DONE');
    await drover.pause({ goal: 'goal-1' }, 'lunch');
    await expect(drover.pause({ goal: 'goal-1' })).rejects.toMatchObject({ code: 'conflict' });
    release.get('a')!();
    await expect.poll(() => eventsOf(drover, 'task.held').length).toBe(1);
    const beside = await drover.enqueue({ title: 'Beside', tasks: [chain[0]!] });
    await expect.poll(() => release.has('a')).toBe(true);
    release.get('a')!();
    await expect.poll(() => runs.filter((name) => name === 'a').length).toBe(2);
    release.get('a')!();
    expect((await beside.done()).state).toBe('DONE');
    expect(await stateOf(goal, 'b')).toBe('PENDING');
    // Put aside once: it does not spin.
    expect(eventsOf(drover, 'task.held')).toHaveLength(1);
    await agree(drover);
    await drover.resume({ goal: 'goal-1' });
    const report = await goal.done();
    expect(report.tasks.map(({ state, attempts }) => [state, attempts])).toEqual(
      chain.map(() => ['DONE', 1]),
    );
    await agree(drover);
  });

  it('a project or a capability lasts over a restart', async () => {
    const dataDir = bed.folder();
    const prefix = `pauses${process.pid}`;
    const first = await bed.start({ dataDir, prefix });
    await first.pause({ project: 'shop' });
    await first.pause({ capability: 'rest' });
    const shop = { title: 'Shop', project: 'shop', tasks: [chain[0]!] };
    await first.enqueue(shop);
    await first.enqueue({ title: 'Rest', tasks: [{ name: 'r', capability: 'rest' }] });
    await first.connection.client.flushall();
    await first.close();
    const second = await bed.start({ dataDir, prefix });
    await second.agent('work', () => null);
    await second.agent('rest', () => null);
    const free = await second.enqueue({ title: 'Free', tasks: [chain[0]!] });
    await free.done();
    await expect.poll(() => eventsOf(second, 'task.held').length).toBe(1);
    expect((await second.goal('goal-1').report()).state).toBe('OPEN');
    expect((await second.goal('goal-2').report()).counts).toMatchObject({ PENDING: 1 });
    await second.resume({ project: 'shop' });
    await second.resume({ capability: 'rest' });
    await second.goal('goal-1').done();
    await second.goal('goal-2').done();
    await agree(second);
  });
});

const queueOf = (drover: Drover): Queue =>
  new Queue('work', { connection: drover.connection.client, prefix: drover.prefix });

describe('a queue that somebody paused by BullMQ itself', () => {
  const workPaused = (drover: Drover): boolean =>
    listPauses(drover.ledger.log.db).some(
      ({ kind, name }) => kind === 'capability' && name === 'work',
    );

  it('is a paused capability, and goes on the same ways', async () => {
    const drover = await bed.start();
    await drover.agent('work', () => null);
    const queue = queueOf(drover);
    await (await drover.enqueue({ title: 'Before', tasks: chain })).done();
    await queue.pause();
    await expect.poll(() => workPaused(drover)).toBe(true);
    await expect(drover.pause({ capability: 'work' })).rejects.toMatchObject({ code: 'conflict' });
    const goal = await drover.enqueue({ title: 'Paused', tasks: chain });
    expect((await goal.estimate()).basis.text).toBe('capability work is paused');
    await drover.resume({ capability: 'work' });
    expect((await goal.done()).state).toBe('DONE');
    await drover.pause({ capability: 'work' });
    await queue.resume();
    await expect.poll(() => workPaused(drover)).toBe(false);
    await queue.close();
    expect(
      eventsOf(drover, 'capability.paused', 'capability.resumed').map(({ by, event }) => [
        event.type,
        by,
      ]),
    ).toEqual([
      ['capability.paused', 'queue'],
      ['capability.resumed', expect.not.stringMatching('queue')],
      ['capability.paused', expect.not.stringMatching('queue')],
      ['capability.resumed', 'queue'],
    ]);
    await agree(drover);
  });

  it('goes on by itself where the engine needs it', async () => {
    const drover = await bed.start();
    await drover.agent('work', () => null);
    const queues = ENGINE_QUEUES.map(
      (name) => new Queue(name, { connection: drover.connection.client, prefix: drover.prefix }),
    );
    for (const queue of queues) await queue.pause();
    const goal = await drover.enqueue({ title: 'All paused', tasks: chain });
    expect((await goal.done()).state).toBe('DONE');
    for (const queue of queues) {
      await expect.poll(() => queue.isPaused()).toBe(false);
      await queue.close();
    }
  });

  it('while no supervisor ran is one too', async () => {
    const dataDir = bed.folder();
    const prefix = `elsewhere${process.pid}`;
    const first = await bed.start({ dataDir, prefix });
    await first.enqueue({ title: 'Later', tasks: chain });
    const client = first.connection.client.duplicate();
    await first.close();
    const queue = new Queue('work', { connection: client, prefix });
    await queue.pause();
    await queue.close();
    client.disconnect();
    const second = await bed.start({ dataDir, prefix });
    expect(workPaused(second)).toBe(true);
    await second.resume({ capability: 'work' });
    await second.agent('work', () => null);
    expect((await second.goal('goal-1').done()).state).toBe('DONE');
  });

  it('goes on where Redis had not heard of it before the supervisor ended', async () => {
    const dataDir = bed.folder();
    const prefix = `killed${process.pid}`;
    const first = await bed.start({ dataDir, prefix });
    await first.enqueue({ title: 'Later', tasks: chain });
    await first.pause({ capability: 'work' });
    await first.close();
    // All that is done before it reaches Redis.
    await askOffline(dataDir)('resume', { capability: 'work' });
    const second = await bed.start({ dataDir, prefix });
    await second.agent('work', () => null);
    expect((await second.goal('goal-1').done()).state).toBe('DONE');
    expect(workPaused(second)).toBe(false);
  });
});

describe('cancelling a task', () => {
  it('aborts it and gives up what builds on it', async () => {
    const drover = await bed.start();
    const { release, aborted, runs } = await holding(drover, ['b', 'other']);
    const goal = await drover.enqueue({ title: 'Cancel', tasks: chain });
    await expect.poll(() => release.size).toBe(2);
    await drover.cancel('task-2', 'wrong way');
    await expect.poll(() => aborted.has('b')).toBe(true);
    await expect
      .poll(async () => (await goal.report()).counts)
      .toMatchObject({ DONE: 1, CANCELLED: 2, ACTIVE: 1 });
    release.get('other')!();
    expect((await goal.done()).state).toBe('DONE');
    expect(runs).not.toContain('c');
    await agree(drover);
  });

  it('alone blocks what builds on it, or lets it go on with null', async () => {
    const drover = await bed.start();
    const blocked = await drover.enqueue({ title: 'Block', tasks: chain });
    const skipped = await drover.enqueue({ title: 'Skip', tasks: chain });
    await drover.cancel('task-2', 'alone', { dependents: 'block' });
    await drover.cancel('task-6', 'alone', { dependents: 'skip' });
    await drover.agent('work', (task) => task.needs());
    expect(await blocked.done()).toMatchObject({ state: 'SETTLED', blocked: 1 });
    const report = await skipped.done();
    expect(report.state).toBe('DONE');
    expect(report.tasks.map(({ state }) => state)).toEqual(['DONE', 'CANCELLED', 'DONE', 'DONE']);
    expect(report.tasks[2]!.result).toEqual({ b: null });
    await agree(drover);
    // What was cancelled can begin again.
    await drover.rerun('task-2');
    expect((await blocked.done()).state).toBe('DONE');
    await agree(drover);
  });
});

describe('a task that failed', () => {
  const failing = [
    { name: 'a', capability: 'work', retry: { attempts: 1 } },
    { name: 'b', capability: 'work', needs: ['a'] },
  ];

  it('is skipped: its dependents go on with null', async () => {
    const drover = await bed.start();
    await drover.agent('work', (task) => {
      if (task.name === 'a') throw new Error('no');
      return task.needs();
    });
    const goal = await drover.enqueue({ title: 'Skip', tasks: failing });
    expect((await goal.done()).state).toBe('SETTLED');
    await drover.skip('task-1', 'not needed');
    const report = await goal.done();
    expect(report).toMatchObject({
      state: 'DONE',
      tasks: [{ state: 'CANCELLED' }, { state: 'DONE' }],
    });
    expect(report.tasks[1]!.result).toEqual({ a: null });
    await agree(drover);
  });

  it('took no time in Bull Board where it is skipped before it began', async () => {
    const drover = await bed.start();
    const task = { name: 'a', capability: 'work' };
    const goal = await drover.enqueue({ title: 'Skip', tasks: [task] });
    await drover.skip('task-1', 'not needed');
    await goal.done();
    const queue = queueOf(drover);
    const job = await queue.getJob('task-1');
    expect(job!.processedOn).toBeGreaterThanOrEqual(job!.timestamp);
    await queue.close();
  });

  it('is retried after its last finished step, or from scratch', async () => {
    const drover = await bed.start();
    let steps = 0;
    let fail = true;
    await drover.agent('work', async (task) => {
      await task.step('count', () => (steps += 1));
      if (fail) throw new Error('no');
    });
    const goal = await drover.enqueue({ title: 'Retry', tasks: [failing[0]!] });
    await goal.done();
    await drover.retry('task-1');
    await expect.poll(() => eventsOf(drover, 'task.failed').length).toBe(2);
    expect(steps).toBe(1);
    fail = false;
    await drover.retry('task-1', 'anew', { fromScratch: true });
    expect((await goal.done()).state).toBe('DONE');
    expect(steps).toBe(2);
    await agree(drover);
  });
});

describe('a task that has not begun', () => {
  it('is edited: its text, its attempts and its priority', async () => {
    const drover = await bed.start();
    const goal = await drover.enqueue({ title: 'Edit', tasks: chain });
    await drover.edit('task-2', { with: { text: 'new' }, retry: { attempts: 1 } }, 'typo');
    await drover.edit('task-4', { priority: 'urgent', title: 'First' });
    const order: string[] = [];
    await drover.agent(
      'work',
      (task) => {
        order.push(task.title);
        return task.with;
      },
      { concurrency: 1 },
    );
    const report = await goal.done();
    expect(order[0]).toBe('First');
    expect(report.tasks[1]!.result).toEqual({ text: 'new' });
    await expect(drover.edit('task-2', { title: 'x' })).rejects.toMatchObject({ code: 'conflict' });
    await agree(drover);
  });

  it('keeps of how it is tried what an edit does not name, and takes no command where it is none', async () => {
    const drover = await bed.start();
    const retry = { attempts: 2, backoff: { type: 'fixed', delay: 7 } as const, unless: ['never'] };
    await drover.enqueue({ title: 'Edit', tasks: [{ name: 'a', capability: 'work', retry }] });
    await drover.edit('task-1', { retry: { attempts: 5 } });
    const policy = () => drover.ledger.board.goal('goal-1')!.tasks.get('task-1')!.spec.retry;
    expect(policy()).toMatchObject({ ...retry, attempts: 5 });
    await drover.edit('task-1', { retry: { unless: [] } });
    expect(policy()).toMatchObject({ ...retry, attempts: 5, unless: [] });
    await expect(drover.edit('task-1', { run: 'true' })).rejects.toMatchObject({
      code: 'bad-input',
    });
    await agree(drover);
  });
});

describe('a goal under way', () => {
  it('takes tasks that people add, behind what runs, waits and is done', async () => {
    const drover = await bed.start();
    const { release } = await holding(drover, ['b']);
    const goal = await drover.enqueue({ title: 'Grow', tasks: chain });
    await expect.poll(() => release.has('b')).toBe(true);
    const added = [
      { name: 'd', capability: 'work', needs: ['a', 'b', 'task-3'] },
      { name: 'e', capability: 'work', needs: ['d'] },
    ];
    const ids = await drover.addTasks('goal-1', added, { key: 'once' });
    expect(await drover.addTasks('goal-1', added, { key: 'once' })).toEqual(ids);
    expect(ids).toEqual({ d: 'task-5', e: 'task-6' });
    const cycle = [
      { name: 'f', capability: 'work', needs: ['g'] },
      { name: 'g', capability: 'work', needs: ['f'] },
    ];
    await expect(drover.addTasks('goal-1', cycle)).rejects.toThrow(/f → g → f/);
    release.get('b')!();
    const report = await goal.done();
    expect(report).toMatchObject({ state: 'DONE', total: 6 });
    await agree(drover);
  });
});
