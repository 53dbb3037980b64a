/** Approvals, signals and timers: what keeps a task from starting, and holds no worker meanwhile. */
import { Queue, Worker } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/engine/audit/audit.js';
import type { Drover } from '../../src/engine/drover.js';
import { inboxOf } from '../../src/projections/inbox.js';
import { testBed } from '../support/redis.js';
import { agree, eventsOf, stateOf } from './steering-support.js';

const bed = testBed();

const inbox = (drover: Drover) => inboxOf(drover.ledger.board.inState('OPEN', 'SETTLED'));

/** Each task says what a person or a signal told it. */
async function telling(drover: Drover): Promise<void> {
  await drover.agent('work', async (task) => ({
    note: (await task.note()) ?? null,
    signals: await task.signals(),
  }));
}

describe('a task that asks for approval', () => {
  const plan = [
    { name: 'build', capability: 'work' },
    { name: 'deploy', capability: 'work', needs: ['build'], approve: 'before' as const },
  ];

  it('waits for a person, stands in the inbox, and starts when it is approved', async () => {
    const drover = await bed.start();
    await telling(drover);
    const goal = await drover.enqueue({ title: 'Release', tasks: plan });
    await expect.poll(() => stateOf(goal, 'build')).toBe('DONE');
    await expect.poll(() => inbox(drover)[0]?.since).not.toBeNull();
    expect(inbox(drover)).toMatchObject([
      { kind: 'approval', id: 'task-2', goal: 'goal-1', deadline: null },
    ]);
    expect(await stateOf(goal, 'deploy')).toBe('BACKLOG');
    await drover.approve('task-2', 'looks good');
    const report = await goal.done();
    expect(report.tasks[1]!.result).toEqual({ note: 'looks good', signals: {} });
    expect(inbox(drover)).toEqual([]);
    await expect(drover.approve('task-2')).rejects.toMatchObject({ code: 'conflict' });
    await agree(drover);
  });

  it('can be approved early, and rejected with a note for the attempt or for good', async () => {
    const drover = await bed.start();
    const goals = [];
    for (const title of ['Early', 'Note', 'End']) {
      goals.push(await drover.enqueue({ title, tasks: plan }));
    }
    await drover.approve('task-2');
    await drover.reject('task-4', 'mind the cache');
    await expect(drover.reject('task-6')).rejects.toMatchObject({ code: 'bad-input' });
    await drover.reject('task-6', 'not this week', { end: true });
    await telling(drover);
    const [early, note, end] = await Promise.all(goals.map((goal) => goal.done()));
    expect(early!.state).toBe('DONE');
    expect(note!.tasks[1]!.result).toMatchObject({ note: 'mind the cache' });
    expect(end).toMatchObject({
      state: 'SETTLED',
      tasks: [{ state: 'DONE' }, { state: 'FAILED' }],
    });
    expect(end!.tasks[1]!.error).toMatch(/^Rejected by .+: not this week$/);
    await agree(drover);
  });

  it('can be rejected while its job is still on its way to Redis', async () => {
    const drover = await bed.start();
    await telling(drover);
    const tell = { name: 'tell', capability: 'work', needs: ['deploy'] };
    const open = { name: 'open', capability: 'work', wait: { signal: 'never' } };
    const goal = await drover.enqueue({ title: 'At once', tasks: [...plan, tell, open] });
    await drover.approve('task-2');
    await expect.poll(() => stateOf(goal, 'tell')).toBe('DONE');
    await Promise.all([
      drover.rerun('task-2'),
      drover.reject('task-2', 'not today', { end: true }),
    ]);
    expect(await stateOf(goal, 'deploy')).toBe('FAILED');
    await agree(drover);
    await drover.skip('task-2');
    await expect.poll(() => stateOf(goal, 'tell')).toBe('DONE');
    await agree(drover);
  });

  it('is asked about again when what was refused is tried again, and is told why it was', async () => {
    const drover = await bed.start();
    await telling(drover);
    const last = { name: 'tell', capability: 'work', needs: ['deploy'] };
    const goal = await drover.enqueue({ title: 'Again', tasks: [...plan, last] });
    await drover.reject('task-2', 'mind the cache', { end: true });
    expect((await goal.done()).state).toBe('SETTLED');
    expect(await drover.retry('task-2', 'it minds')).toMatchObject({ asked: 'task-2' });
    await expect.poll(() => stateOf(goal, 'deploy')).toBe('BACKLOG');
    expect((await goal.report()).tasks[1]).toMatchObject({ gates: [{ kind: 'approval' }] });
    await expect.poll(() => inbox(drover)[0]).toMatchObject({ kind: 'approval', id: 'task-2' });
    await agree(drover);
    await drover.reject('task-2', 'still no', { end: true });
    await goal.done();
    await drover.retry('task-2');
    await drover.approve('task-2');
    const { state, tasks } = await goal.done();
    expect(state).toBe('DONE');
    expect(tasks[1]!.result).toMatchObject({ note: 'still no' });
    await agree(drover);
  });

  it('as a plan that was refused is asked about again', async () => {
    const drover = await bed.start();
    await telling(drover);
    const own = { name: 'own', capability: 'work', approve: 'before' } as const;
    const goal = await drover.enqueue({
      title: 'Plan',
      approve: 'before',
      tasks: [plan[0]!, { ...plan[0]!, name: 'second' }, own],
    });
    await drover.reject('goal-1', 'too dear', { end: true });
    await goal.done();
    // As a whole, whichever of its tasks is named.
    expect(await drover.retry('task-2')).toMatchObject({ asked: 'goal-1' });
    await expect.poll(() => inbox(drover)[0]).toMatchObject({ kind: 'approval', id: 'goal-1' });
    await drover.approve('goal-1', 'cheaper now');
    await expect.poll(() => stateOf(goal, 'second')).toBe('DONE');
    // What was approved is not asked again with a task that was refused by itself.
    await drover.reject('task-3', 'not this one', { end: true });
    await goal.done();
    expect(await drover.retry('task-3')).toMatchObject({ asked: 'task-3' });
    await drover.approve('task-3');
    const { state, tasks } = await goal.done();
    expect(state).toBe('DONE');
    expect(tasks[0]!.result).toMatchObject({ note: 'cheaper now' });
    await agree(drover);
  });

  it('tells a command what was said to it, too', async () => {
    const drover = await bed.start();
    await drover.agent('shell', 'shell');
    const goal = await drover.enqueue({
      title: 'Shell',
      tasks: [
        {
          name: 'deploy',
          capability: 'shell',
          run: 'node -p "JSON.stringify([process.env.DROVER_NOTE, JSON.parse(process.env.DROVER_SIGNALS)])"',
          approve: 'before',
          wait: { signal: 'built' },
        },
      ],
    });
    await drover.approve('task-1', 'mind\nthe "cache"');
    await drover.signal('goal-1', 'built', { version: 3 });
    const { tasks } = await goal.done();
    expect(tasks[0]!.result).toEqual(['mind\nthe "cache"', { built: { version: 3 } }]);
  });

  it('is approved by promoting its gate in Bull Board, and the log says so', async () => {
    const drover = await bed.start();
    await telling(drover);
    const goal = await drover.enqueue({ title: 'Board', tasks: plan });
    await expect.poll(() => stateOf(goal, 'build')).toBe('DONE');
    const { client } = drover.connection;
    const gates = new Queue('gates', { connection: client, prefix: drover.prefix });
    await (await gates.getJob('task-2.approval'))!.promote();
    expect((await goal.done()).state).toBe('DONE');
    expect(eventsOf(drover, 'task.approved')).toMatchObject([
      { task: 'task-2', by: 'Bull Board', event: { via: 'board' } },
    ]);
    await gates.close();
    await agree(drover);
  });

  it('is answered by its deadline where nobody answers: no, unless said otherwise', async () => {
    const drover = await bed.start();
    await telling(drover);
    const asked = (approve: object) => [{ name: 'a', capability: 'work', approve }];
    const no = await drover.enqueue({ title: 'No', tasks: asked({ deadline: 200 }) });
    const yes = await drover.enqueue({
      title: 'Yes',
      tasks: asked({ deadline: 200, default: 'approve' }),
    });
    expect((await no.done()).tasks[0]).toMatchObject({ state: 'FAILED' });
    expect((await yes.done()).tasks[0]).toMatchObject({ state: 'DONE' });
    expect(eventsOf(drover, 'task.rejected')).toMatchObject([
      { by: 'deadline', event: { via: 'time' } },
    ]);
    await agree(drover);
  });
});

describe('a plan that asks for approval', () => {
  it('starts none of its tasks before it is approved', async () => {
    const drover = await bed.start();
    await telling(drover);
    const tasks = [
      { name: 'a', capability: 'work' },
      { name: 'b', capability: 'work' },
      { name: 'c', capability: 'work', needs: ['a', 'b'] },
    ];
    const goal = await drover.enqueue({ title: 'Plan', tasks, approve: 'before' });
    expect(inbox(drover)).toMatchObject([{ kind: 'approval', id: 'goal-1' }]);
    expect((await goal.report()).counts).toMatchObject({ BACKLOG: 3 });
    await drover.approve('goal-1');
    expect((await goal.done()).state).toBe('DONE');
    await agree(drover);
  });
});

describe('a task that waits', () => {
  it('for a signal gets its data, also of one that came first', async () => {
    const drover = await bed.start();
    await telling(drover);
    const goal = await drover.enqueue({
      title: 'Signals',
      tasks: [
        { name: 'late', capability: 'work', wait: { signal: 'deployed' } },
        { name: 'early', capability: 'work', wait: { signal: 'tested' } },
      ],
    });
    await drover.signal('goal-1', 'tested', { passed: 7 });
    await drover.signal('goal-1', 'unheard', 1);
    await expect.poll(() => stateOf(goal, 'early')).toBe('DONE');
    await drover.addTasks('goal-1', [
      { name: 'added', capability: 'work', wait: { signal: 'unheard' } },
    ]);
    await expect.poll(() => stateOf(goal, 'added')).toBe('DONE');
    expect(await stateOf(goal, 'late')).toBe('BACKLOG');
    await drover.signal('goal-1', 'deployed', 'v2');
    const report = await goal.done();
    expect(report.tasks.map(({ result }) => result)).toMatchObject([
      { signals: { deployed: 'v2' } },
      { signals: { tested: { passed: 7 } } },
      { signals: { unheard: 1 } },
    ]);
    await agree(drover);
  });

  it('for a time starts when it has passed since its needs were done', async () => {
    const drover = await bed.start();
    await telling(drover);
    const goal = await drover.enqueue({
      title: 'Times',
      tasks: [
        { name: 'a', capability: 'work' },
        { name: 'b', capability: 'work', needs: ['a'], wait: { for: 300 } },
        { name: 'c', capability: 'work', wait: { until: new Date(Date.now() - 5).toISOString() } },
      ],
    });
    const { tasks } = await goal.done();
    expect(tasks[1]!.assignedAt! - tasks[0]!.finishedAt!).toBeGreaterThanOrEqual(299);
    expect(eventsOf(drover, 'gate.opened')).toHaveLength(2);
    await agree(drover);
  });

  it('goes on waiting across a restart and a Redis that was emptied', async () => {
    const dataDir = bed.folder();
    const prefix = `waits${process.pid}`;
    const first = await bed.start({ dataDir, prefix });
    await first.enqueue({
      title: 'Restart',
      tasks: [
        { name: 'signal', capability: 'work', wait: { signal: 'go' } },
        { name: 'approval', capability: 'work', approve: 'before' },
        { name: 'told', capability: 'work', wait: { signal: 'before' }, approve: 'before' },
        { name: 'time', capability: 'work', wait: { for: 400 } },
      ],
    });
    await first.signal('goal-1', 'before', 'kept');
    await first.approve('task-2', 'fine');
    await first.connection.client.flushall();
    await first.close();
    const second = await bed.start({ dataDir, prefix });
    await telling(second);
    const goal = second.goal('goal-1');
    await second.approve('task-3');
    await second.signal('goal-1', 'go');
    const { state, tasks } = await goal.done();
    expect(state).toBe('DONE');
    expect(tasks[1]!.result).toMatchObject({ note: 'fine' });
    expect(tasks[2]!.result).toMatchObject({ signals: { before: 'kept' } });
    await agree(second);
  });
});

describe('a gate that somebody removes', () => {
  /** As Bull Board does it, where it may change jobs. */
  async function remove(drover: Drover, ...ids: string[]): Promise<void> {
    const connection = drover.connection.client;
    const gates = new Queue('gates', { connection, prefix: drover.prefix });
    for (const id of ids) await (await gates.getJob(id))!.remove();
    await gates.close();
  }
  const waits = (drover: Drover): number => eventsOf(drover, 'task.suspended').length;

  it('is put back before its task begins, whatever it waits for', async () => {
    const drover = await bed.start();
    await telling(drover);
    const goal = await drover.enqueue({
      title: 'Removed',
      tasks: [
        { name: 'approved', capability: 'work', approve: 'before' },
        { name: 'signalled', capability: 'work', wait: { signal: 'deployed' } },
        { name: 'timed', capability: 'work', wait: { for: 10_000 } },
      ],
    });
    await expect.poll(() => inbox(drover).length).toBe(1);
    await remove(drover, 'task-1.approval', 'task-2.signal', 'task-3.timer');
    await expect.poll(() => waits(drover)).toBe(3);
    for (const name of ['approved', 'signalled', 'timed'])
      expect(await stateOf(goal, name)).toBe('BACKLOG');
    expect(inbox(drover)).toMatchObject([{ kind: 'approval', id: 'task-1' }]);
    await drover.approve('task-1', 'go');
    await drover.signal(goal.id, 'deployed', { commit: 'abc' });
    const { tasks } = await goal.done();
    expect(tasks.map(({ result }) => result)).toEqual([
      { note: 'go', signals: {} },
      { note: null, signals: { deployed: { commit: 'abc' } } },
      { note: null, signals: {} },
    ]);
    expect(tasks.map(({ claims, attempts }) => [claims, attempts])).toEqual([
      [2, 1],
      [2, 1],
      [2, 1],
    ]);
    expect(eventsOf(drover, 'gate.opened').at(-1)).toMatchObject({ event: { via: 'time' } });
    await agree(drover);
  });

  it('is no matter where its task was skipped', async () => {
    const drover = await bed.start();
    await telling(drover);
    const goal = await drover.enqueue({
      title: 'Skipped',
      tasks: [
        { name: 'deploy', capability: 'work', approve: 'before' },
        { name: 'tell', capability: 'work', needs: ['deploy'] },
      ],
    });
    await remove(drover, 'task-1.approval');
    await expect.poll(() => waits(drover)).toBe(1);
    await drover.skip('task-1');
    expect((await goal.done()).text).toBe('Done! 1/2 tasks complete, 1 cancelled');
    await agree(drover);
  });

  it('is told by the audit where a worker that knows nothing of Drover took its task', async () => {
    const drover = await bed.start();
    const goal = await drover.enqueue({
      title: 'Plain',
      tasks: [{ name: 'deploy', capability: 'work', approve: 'before' }],
    });
    await remove(drover, 'task-1.approval');
    const { client: connection } = drover.connection;
    const worker = new Worker('work', async () => 1, { connection, prefix: drover.prefix });
    expect((await goal.done()).state).toBe('DONE');
    await worker.close();
    const { log } = drover.ledger;
    const { disagreements } = await audit({ log, running: true });
    expect(disagreements).toMatchObject([
      { task: 'task-1', explanation: expect.stringContaining('before its approval let it') },
    ]);
  });

  it('keeps nothing that was answered before an agent came', async () => {
    const drover = await bed.start();
    const goal = await drover.enqueue({
      title: 'Early',
      tasks: [{ name: 'deploy', capability: 'work', approve: 'before' }],
    });
    await remove(drover, 'task-1.approval');
    await expect.poll(() => stateOf(goal, 'deploy')).toBe('PENDING');
    await drover.approve('task-1', 'go');
    await telling(drover);
    expect((await goal.done()).tasks[0]).toMatchObject({ result: { note: 'go' }, attempts: 1 });
    await agree(drover);
  });
});
