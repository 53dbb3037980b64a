import { EventEmitter, once } from 'node:events';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { Drover } from '../../src/index.js';
import { audit, type AuditReport } from '../../src/engine/audit/audit.js';
import { enqueueOffline } from '../../src/engine/offline.js';
import { auditHistory } from '../../src/engine/audit/history.js';
import { loadGoal } from '../../src/projections/board.js';
import { renderState } from '../../src/projections/state-file.js';
import { describeGoal, summariseGoal } from '../../src/projections/state-schema.js';
import { Log } from '../../src/log/log.js';
import { journalKey, streamKey } from '../../src/queues/keys.js';
import { testBed } from '../support/redis.js';
import { PATIENCE } from './steering-support.js';

const bed = testBed();
/** The data directory of a goal that is half done, and whose supervisor is closed. */
let half: string;
const workers: { close: () => Promise<void> }[] = [];

beforeAll(async () => {
  half = bed.folder('half');
  await (await halfDone(half)).close();
});

afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close();
});

/** A goal with a finished task, one that waits in its queue, and one that waits for that. */
async function halfDone(dataDir = bed.folder()): Promise<Drover> {
  const drover = await bed.start({ dataDir });
  await drover.agent('developer', () => 'made');
  const goal = await drover.enqueue({
    title: 'Half done',
    tasks: [
      { name: 'made', capability: 'developer' },
      { name: 'waits', capability: 'nobody', needs: ['made'] },
      { name: 'blocked', capability: 'nobody', needs: ['waits'] },
    ],
  });
  for await (const { event, task } of goal.events()) {
    if (event.type === 'task.queued' && task === 'task-2') return drover;
  }
  throw new Error('The goal ended.');
}

/** Not patient: what is wrong stays so. */
const hear = (drover: Drover, patience = 300): Promise<AuditReport> =>
  audit({
    log: drover.ledger.log,
    redis: { client: drover.connection.client, prefix: drover.prefix },
    running: true,
    patience,
  });

const key = (drover: Drover, rest: string): string => `${drover.prefix}:${rest}`;

test('BullMQ agrees with the log of a goal that runs', async () => {
  const drover = await halfDone();
  const report = await hear(drover, PATIENCE);
  expect(report).toMatchObject({ agrees: true, notes: [], checked: { jobs: 4 } });
  expect(report.heard).toEqual(['log', 'projection', 'redis']);
});

test('while much is going on, nothing that passes is taken for a disagreement', async () => {
  const drover = await bed.start();
  await drover.agent('developer', (task) => task.step('one', () => task.name));
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) =>
      drover.enqueue({
        title: `Goal ${index}`,
        tasks: [
          { name: 'a', capability: 'developer' },
          { name: 'b', capability: 'developer', needs: ['a'] },
          { name: 'c', capability: 'developer', needs: ['a'] },
          { name: 'd', capability: 'developer', needs: ['b', 'c'] },
        ],
      }),
    ),
  );
  const reports: AuditReport[] = [];
  while (drover.ledger.board.inState('OPEN').length > 0) {
    reports.push(await hear(drover, PATIENCE));
  }
  reports.push(await hear(drover, PATIENCE));
  expect(reports.length).toBeGreaterThan(1);
  expect(reports.flatMap(({ disagreements }) => disagreements)).toEqual([]);
});

test.each([
  {
    what: 'a job that is gone',
    spoil: (drover: Drover) => drover.connection.client.del(key(drover, 'nobody:task-2')),
    task: 'task-2',
    values: { log: 'PENDING', redis: 'missing' },
  },
  {
    what: 'a finished task whose job is not',
    spoil: (drover: Drover) =>
      drover.connection.client.zrem(key(drover, 'developer:completed'), 'task-1'),
    task: 'task-1',
    values: { log: 'DONE', redis: 'missing' },
  },
  {
    what: 'a blocked task that may start',
    spoil: async ({ connection: { client }, prefix }: Drover) => {
      await client.zrem(`${prefix}:nobody:waiting-children`, 'task-3');
      await client.lpush(`${prefix}:nobody:wait`, 'task-3');
    },
    task: 'task-3',
    values: { log: 'BACKLOG', redis: 'waiting' },
  },
  {
    what: 'a goal whose own job is over too early',
    spoil: async ({ connection: { client }, prefix }: Drover) => {
      await client.zrem(`${prefix}:goals:waiting-children`, 'goal-1');
      await client.zadd(`${prefix}:goals:completed`, 1, 'goal-1');
    },
    task: null,
    values: { log: 'OPEN', redis: 'completed' },
  },
])('$what is found', async ({ spoil, task, values }) => {
  const drover = await halfDone();
  await spoil(drover);
  const report = await hear(drover);
  expect(report.disagreements).toEqual([
    expect.objectContaining({
      witnesses: ['log', 'redis'],
      goal: 'goal-1',
      task,
      field: 'job',
      values,
    }),
  ]);
});

test('a cancelled task that could still start is found', async () => {
  const drover = await bed.start();
  const held = new EventEmitter();
  const released = once(held, 'release');
  const begun = once(held, 'begin');
  // It holds its job, so the goal's jobs cannot leave Redis yet.
  await drover.agent('developer', () => {
    held.emit('begin');
    return released.then(() => null);
  });
  await drover.enqueue({
    title: 'Cancelled',
    tasks: [
      { name: 'held', capability: 'developer' },
      { name: 'removed', capability: 'nobody' },
    ],
  });
  await begun;
  await drover.cancel('goal-1');
  expect((await hear(drover, PATIENCE)).agrees).toBe(true);
  const { client } = drover.connection;
  await client.hset(key(drover, 'nobody:task-2'), 'name', 'removed');
  await client.lpush(key(drover, 'nobody:wait'), 'task-2');
  const report = await hear(drover);
  held.emit('release');
  expect(report.disagreements).toEqual([
    expect.objectContaining({
      task: 'task-2',
      field: 'job',
      values: { log: 'CANCELLED', redis: 'waiting' },
    }),
  ]);
});

test('jobs of a goal that has left Redis are told as a note', async () => {
  const drover = await halfDone();
  await drover.cancel('goal-1');
  // What a worker had not let go of when the goal was cancelled leaves with the next sweep.
  expect(await hear(drover, PATIENCE)).toMatchObject({ agrees: true, notes: [] });
  await drover.connection.client.hset(key(drover, 'nobody:task-2'), 'name', 'waits');
  expect((await hear(drover)).notes).toEqual([
    '1 job of goals that have left Redis: nobody/task-2',
  ]);
});

test('a cursor ahead of its stream is found', async () => {
  const drover = await halfDone();
  const { client } = drover.connection;
  await client.del(streamKey(drover.prefix, 'developer'));
  expect((await hear(drover, PATIENCE)).agrees).toBe(true);
  await client.xadd(streamKey(drover.prefix, 'developer'), '1-1', 'event', 'drained');
  const report = await hear(drover);
  expect(report.disagreements).toEqual([
    expect.objectContaining({
      witnesses: ['log', 'redis'],
      field: 'cursor',
      values: { log: expect.any(String), redis: '1-1' },
    }),
  ]);
});

test('what nobody knows is told as a note', async () => {
  const drover = await halfDone();
  const { client } = drover.connection;
  const queue = new Queue('nobody', {
    connection: client,
    prefix: drover.prefix,
    skipMetasUpdate: true,
  });
  workers.push(queue);
  await queue.add('stray', {}, { jobId: 'by-hand' });
  await client.hset(journalKey(drover.prefix, 'task-77'), 'step', '1');
  const report = await hear(drover, PATIENCE);
  expect(report.agrees).toBe(true);
  expect(report.notes).toEqual([
    '1 job that no goal knows: nobody/by-hand',
    '1 journal of tasks that have left Redis: task-77',
  ]);
});

test('what happened while no supervisor ran is unread, not wrong', async () => {
  const dataDir = bed.folder();
  const drover = await halfDone(dataDir);
  const { prefix } = drover;
  await drover.close();
  const client = new Redis({ ...bed.redis().connection, maxRetriesPerRequest: null });
  const worker = new Worker('nobody', async () => 'done elsewhere', { connection: client, prefix });
  workers.push(worker, { close: async () => void (await client.quit()) });
  await new Promise<void>((resolve) => {
    worker.on('completed', (job) => job.id === 'task-3' && resolve());
  });
  const log = Log.read(dataDir);
  const report = await audit({ log, redis: { client, prefix }, running: false, patience: 0 });
  log.close();
  expect(report.agrees).toBe(true);
  expect(report.notes).toContain(
    'Entries of the queue ‘nobody’ are not recorded yet; task-2 cannot be judged.',
  );
});

test('a goal that was recorded and never submitted is told as a note', async () => {
  const dataDir = bed.folder();
  enqueueOffline(dataDir, { title: 'Later', tasks: [{ name: 'a', capability: 'nobody' }] });
  const client = new Redis(bed.redis().connection);
  const log = Log.read(dataDir);
  const report = await audit({ log, redis: { client, prefix: 'unused' }, running: false });
  expect(report).toMatchObject({
    agrees: true,
    notes: ['goal-1 is recorded and not submitted yet; the supervisor does that when it starts.'],
  });
  log.close();
  await client.quit();
});

test('BullMQ is not heard where the keys belong to another log', async () => {
  const drover = await halfDone();
  const { client } = drover.connection;
  const log = Log.open(bed.folder());
  const report = await audit({ log, redis: { client, prefix: drover.prefix }, running: false });
  expect(report).toMatchObject({
    agrees: true,
    heard: ['log', 'projection'],
    checked: { jobs: 0 },
  });
  expect(report.notes).toEqual([expect.stringContaining('belong to another log')]);
  log.close();
});

test('a finished goal that Redis lost is a note; an open one a disagreement', async () => {
  const drover = await bed.start();
  await drover.agent('developer', () => 1);
  const done = await drover.enqueue({
    title: 'Done',
    tasks: [{ name: 'a', capability: 'developer' }],
  });
  await done.done();
  const open = await drover.enqueue({
    title: 'Open',
    tasks: [{ name: 'b', capability: 'nobody' }],
  });
  for await (const { event } of open.events()) if (event.type === 'task.queued') break;
  const { client } = drover.connection;
  for (const job of ['goals:goal-1', 'developer:task-1', `goals:${open.id}`, 'nobody:task-2']) {
    await client.del(key(drover, job));
  }
  const report = await hear(drover);
  expect(report.notes).toEqual(['goal-1 is DONE, and Redis holds none of its jobs any more.']);
  expect(report.disagreements.map(({ goal, task, values }) => [goal, task, values.redis])).toEqual([
    ['goal-2', null, 'missing'],
    ['goal-2', 'task-2', 'missing'],
  ]);
});

/** Hears the STATE.yaml of a project as it should be, changed by `spoil`. */
async function hearState(
  spoil: (text: string) => string | undefined,
  { summary = false } = {},
): Promise<AuditReport> {
  const log = Log.read(half);
  try {
    const entry = describeGoal(loadGoal(log.db, 'goal-1')!);
    const text = renderState({
      project: 'default',
      seq: log.lastSeq(),
      goals: { 'goal-1': summary ? summariseGoal(entry) : entry },
    });
    return await audit({ log, readState: () => spoil(text), running: true, patience: 0 });
  } finally {
    log.close();
  }
}

test('STATE.yaml agrees with the log, in full and in short', async () => {
  const report = await hearState((text) => text);
  expect(report).toMatchObject({ agrees: true, notes: [], checked: { projects: 1 } });
  expect(await hearState((text) => text, { summary: true })).toMatchObject({
    agrees: true,
    notes: [],
  });
});

test.each([
  ['state: DONE', 'state: FAILED', 'task-1', 'state', { log: 'DONE', state: 'FAILED' }],
  ['state: OPEN', 'state: DONE', null, 'state', { log: 'OPEN', state: 'DONE' }],
  ['title: Half done', 'title: All done', null, 'title', { log: 'Half done', state: 'All done' }],
  ['project: default', 'project: other', null, 'project', { log: 'default', state: 'other' }],
  ['  goal-1:', '  goal-2:', null, 'goal', { log: 'OPEN', state: null }],
  [/seq: \d+/, 'seq: 99999', null, 'seq', { log: expect.any(Number), state: 99_999 }],
  ['version: 1', 'version: [', null, 'STATE.yaml', { log: 'default', state: null }],
])('a STATE.yaml with %s changed to %s is found', async (from, to, task, field, values) => {
  const report = await hearState((text) => text.replace(from, to));
  expect(report.disagreements[0]).toMatchObject({
    witnesses: ['log', 'state'],
    task,
    field,
    values,
  });
});

test('a STATE.yaml with a goal too many is found', async () => {
  const report = await hearState((text) =>
    text.replace(
      '\ngoals:\n',
      "\ngoals:\n  goal-9: { title: Ghost, state: DONE, created: '2026-01-01T00:00:00.000Z' }\n",
    ),
  );
  expect(report.disagreements).toEqual([
    expect.objectContaining({
      goal: 'goal-9',
      field: 'goal',
      values: { log: null, state: 'DONE' },
    }),
  ]);
});

test('a STATE.yaml that is behind, or missing, is told as a note', async () => {
  const log = Log.read(half);
  const [created] = log.events({ limit: 1 });
  const { view } = auditHistory('goal-1', [created!]);
  const text = renderState({
    project: 'default',
    seq: 1,
    goals: { 'goal-1': describeGoal(view!) },
  });
  const behind = await audit({ log, readState: () => text, running: true, patience: 0 });
  expect(behind).toMatchObject({
    agrees: true,
    notes: ['The STATE.yaml of default does not show the latest of goal-1 yet.'],
  });
  const missing = await audit({ log, readState: () => undefined, running: false });
  expect(missing).toMatchObject({ agrees: true, notes: ['default has no STATE.yaml.'] });
  log.close();
});
