/** What a completed task's result is passed on by: the agent that completes it, and the supervisor for everybody else. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { expect, it } from 'vitest';
import {
  connectDrover,
  type Drover,
  type Handler,
  type PlannedTaskInput,
} from '../../src/index.js';
import { testBed } from '../support/redis.js';
import { agree } from './steering-support.js';

const bed = testBed();

/** Two tasks need the first one, and one needs both. */
const diamond = (capability: string): PlannedTaskInput[] => [
  { name: 'first', capability },
  { name: 'left', capability, needs: ['first'] },
  { name: 'right', capability, needs: ['first'] },
  { name: 'last', capability, needs: ['left', 'right'] },
];

const queueOf = ({ prefix }: Drover, name: string): Queue =>
  new Queue(name, { connection: bed.redis().connection, prefix, skipMetasUpdate: true });

it.each<[string, Handler]>([
  ['at once', ({ name }) => `${name} done`],
  ['later', async ({ name }) => sleep(1, `${name} done`)],
])('an agent that returns %s does it, also while no supervisor runs', async (when, handler) => {
  const options = { dataDir: bed.folder(), prefix: `alone-${when.replace(' ', '-')}` };
  const drover = await bed.start(options);
  const { id } = await drover.enqueue({ title: 'Alone', tasks: diamond('work') });
  const [goals, work, relays, gates] = ['goals', 'work', 'relays', 'gates'].map((name) =>
    queueOf(drover, name),
  ) as [Queue, Queue, Queue, Queue];
  await drover.close();
  const agents = await connectDrover({ ...options, redis: bed.redis().connection });
  await agents.agent('work', handler);
  await expect.poll(() => goals.getCompletedCount()).toBe(1);
  for (const task of ['task-2', 'task-3']) {
    const job = await work.getJob(task);
    expect(Object.values(await job!.getChildrenValues())).toEqual(['first done']);
  }
  // No worker had them. Bull Board shows what lies between the two times.
  for (const queue of [goals, relays, gates]) {
    const [job] = await queue.getCompleted();
    expect(job).toMatchObject({ attemptsStarted: 0, processedOn: job!.finishedOn });
  }
  await Promise.all([agents, goals, work, relays, gates].map((each) => each.close()));
  const again = await bed.start(options);
  expect((await again.goal(id).done()).text).toBe('Done! 4/4 tasks complete');
  await agree(again);
});

it('the supervisor does it for plain workers and for optional tasks that fail', async () => {
  const drover = await bed.start();
  const { connection } = bed.redis();
  const worker = new Worker('plain', async ({ name }) => name, {
    connection,
    prefix: drover.prefix,
  });
  await drover.agent('work', async (task) => {
    if (task.name === 'first') throw new Error('not today');
    return task.needs();
  });
  const [first, ...others] = diamond('work');
  const goals = await Promise.all([
    drover.enqueue({ title: 'Plain', tasks: diamond('plain') }),
    drover.enqueue({ title: 'Optional', tasks: [{ ...first!, optional: true }, ...others] }),
  ]);
  const [plain, optional] = await Promise.all(goals.map((goal) => goal.done()));
  expect(plain!.text).toBe('Done! 4/4 tasks complete');
  expect(optional!.tasks.map(({ state, result }) => [state, result])).toEqual([
    ['FAILED', null],
    ['DONE', { first: null }],
    ['DONE', { first: null }],
    ['DONE', { left: { first: null }, right: { first: null } }],
  ]);
  await agree(drover);
  await worker.close();
});

it('the supervisor does it where many tasks wait, which would hold Redis up', async () => {
  const drover = await bed.start();
  const many = Array.from({ length: 250 }, (_, index) => ({
    name: `t${index}`,
    capability: 'work',
    needs: ['first'],
  }));
  const tasks = [{ name: 'first', capability: 'work' }, ...many];
  const goal = await drover.enqueue({ title: 'Wide', tasks });
  await drover.agent('work', () => null, { concurrency: 20 });
  expect((await goal.done()).text).toBe('Done! 251/251 tasks complete');
  const relays = queueOf(drover, 'relays');
  // Its worker had it.
  expect((await relays.getJob('task-1.relay'))!.attemptsStarted).toBe(1);
  await relays.close();
  await agree(drover);
});

it('nobody does it while the queue is paused', async () => {
  const drover = await bed.start();
  const relays = queueOf(drover, 'relays');
  await relays.pause();
  await drover.agent('work', () => null);
  const goal = await drover.enqueue({ title: 'Paused', tasks: diamond('work') });
  await expect.poll(async () => (await goal.report()).tasks[0]!.state).toBe('DONE');
  expect(await relays.getPrioritizedCount()).toBe(1);
  await relays.resume();
  expect((await goal.done()).text).toBe('Done! 4/4 tasks complete');
  await relays.close();
  await agree(drover);
});

it('nobody does it of a relay whose data somebody spoilt, and its worker goes on when they are put right', async () => {
  const drover = await bed.start();
  const relay = `${drover.prefix}:relays:task-1.relay`;
  const { client } = drover.connection;
  const goal = await drover.enqueue({ title: 'Spoilt', tasks: diamond('work') });
  const data = await client.hget(relay, 'data');
  await client.hset(relay, 'data', '{}');
  await drover.agent('work', ({ name }) => sleep(1, name));
  await expect.poll(async () => (await goal.report()).tasks[0]!.state).toBe('DONE');
  expect(bed.errors).toEqual([]);
  expect(await client.hexists(relay, 'returnvalue')).toBe(0);
  await client.hset(relay, 'data', data!);
  expect((await goal.done()).text).toBe('Done! 4/4 tasks complete');
  await agree(drover);
});
