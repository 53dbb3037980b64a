/** Job trees are left in Redis as BullMQ's own FlowProducer leaves them, which Drover does without for its cost. */
import { FlowProducer, type FlowJob } from 'bullmq';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { connect, type Connection } from '../../src/queues/connection.js';
import { Flows, type JobTree } from '../../src/queues/flows.js';
import type { JobOptions } from '../../src/queues/job-options.js';
import { NEVER } from '../../src/queues/gate-options.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const PARENT = { queue: 'goals', id: 'goal-0' };

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });

const backoffs = fc.record({
  type: fc.constantFrom('fixed' as const, 'exponential' as const),
  delay: fc.nat(60_000),
  jitter: fc.constantFrom(0, 0.25, 1),
});

/** Without those that are undefined: neither compiler nor BullMQ's users write them. */
const options: fc.Arbitrary<JobOptions> = fc
  .record({
    priority: fc.integer({ min: 1, max: 2 ** 21 - 1 }),
    attempts: optional(fc.integer({ min: 1, max: 1_000 })),
    backoff: optional(backoffs),
    delay: optional(fc.constantFrom(0, 1, 59_978, NEVER)),
    ignoreDependencyOnFailure: optional(fc.constant(true)),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
  .map((given) => given as unknown as JobOptions);

interface Shape {
  readonly queue: string;
  readonly name: string;
  readonly text: string;
  readonly options: JobOptions;
  readonly children: readonly Shape[];
}

const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.record({
    queue: fc.constantFrom('developer', 'tester', 'gates'),
    name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
    text: fc.string({ unit: 'binary', maxLength: 8 }),
    options,
    children: fc.oneof({ maxDepth: 4 }, fc.constant([]), fc.array(tie('shape'), { maxLength: 3 })),
  }),
}));

function treesOf(shapes: readonly Shape[], attached: readonly boolean[]): JobTree[] {
  let count = 0;
  const treeOf = ({ text, children, ...job }: Shape): JobTree => {
    count += 1;
    return { ...job, id: `task-${count}`, data: { text }, children: children.map(treeOf) };
  };
  return shapes.map((each, index) => ({
    ...treeOf(each),
    ...(attached[index] && { parent: PARENT }),
  }));
}

const flowOf = (prefix: string, tree: JobTree): FlowJob => ({
  queueName: tree.queue,
  name: tree.name,
  data: tree.data,
  prefix,
  opts: {
    ...tree.options,
    jobId: tree.id,
    removeOnComplete: false,
    removeOnFail: false,
    ...(tree.parent && {
      parent: { id: tree.parent.id, queue: `${prefix}:${tree.parent.queue}` },
    }),
  },
  ...(tree.children.length > 0 && {
    children: tree.children.map((child) => flowOf(prefix, child)),
  }),
});

async function submitByBullMQ(
  connection: Redis,
  prefix: string,
  trees: readonly JobTree[],
): Promise<void> {
  const producer = new FlowProducer({ connection, prefix });
  await producer.addBulk(trees.map((tree) => flowOf(prefix, tree)));
  await producer.close();
}

/** Everything below a prefix, but for the order in which jobs came and the times of streams' entries. */
async function dump(client: Redis, prefix: string): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const key of (await client.keys(`${prefix}:*`)).toSorted()) {
    found[key] = await valueOf(client, key, await client.type(key));
  }
  return JSON.parse(JSON.stringify(found).replaceAll(prefix, 'prefix')) as typeof found;
}

async function valueOf(client: Redis, key: string, type: string): Promise<unknown> {
  if (type === 'string') return client.get(key);
  if (type === 'set') return (await client.smembers(key)).toSorted();
  if (type === 'stream')
    return (await client.xrange(key, '-', '+')).map(([, fields]) => fields.join()).toSorted();
  if (type === 'hash') {
    const fields = await client.hgetall(key);
    // Lua writes what it holds in any order.
    for (const name of ['opts', 'parent'])
      if (fields[name] !== undefined) Object.assign(fields, { [name]: JSON.parse(fields[name]) });
    return fields;
  }
  expect(type).toBe('zset');
  const [members, scores] = await Promise.all([
    client.zrange(key, '0', '-1'),
    client.zrange(key, '0', '-1', 'WITHSCORES'),
  ]);
  const score = (index: number): number => Number(scores[index * 2 + 1]);
  // The lower half of these scores counts the jobs.
  const part = key.endsWith(':prioritized') ? 2 ** 32 : key.endsWith(':delayed') ? 4_096 : 1;
  return Object.fromEntries(
    members.map((member, index) => [member, Math.floor(score(index) / part)]),
  );
}

describe('job trees', () => {
  let connection: Connection | undefined;
  let counter = 0;

  afterEach(() => vi.restoreAllMocks());
  afterAll(() => connection?.close());

  async function places(): Promise<{ client: Redis; ours: string; theirs: string }> {
    connection ??= await connect(bed.redis().connection);
    const { client } = connection;
    counter += 1;
    const [ours, theirs] = [`ours${counter}`, `theirs${counter}`];
    const root = { queue: 'goals', name: 'Goal', data: {}, options: { priority: 1 } };
    const held = { ...root, queue: 'gates', id: 'gate-0', children: [] };
    for (const prefix of [ours, theirs])
      await submitByBullMQ(client, prefix, [{ ...root, id: PARENT.id, children: [held] }]);
    return { client, ours, theirs };
  }

  it('are in Redis what BullMQ makes of them', async () => {
    vi.spyOn(Date, 'now').mockReturnValue(1_795_922_034_210);
    await fc.assert(
      fc.asyncProperty(
        fc.array(shape, { minLength: 1, maxLength: 4 }),
        fc.array(fc.boolean()),
        async (shapes, attached) => {
          const { client, ours, theirs } = await places();
          const trees = treesOf(shapes, attached);
          await new Flows(client, ours).submit(trees);
          await submitByBullMQ(client, theirs, trees);
          expect(await dump(client, ours)).toEqual(await dump(client, theirs));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('change nothing when they are submitted again', async () => {
    const { client, ours } = await places();
    const leaf = { queue: 'developer', name: 'Leaf', data: {}, options: { priority: 3 } };
    const trees: JobTree[] = [
      {
        ...leaf,
        id: 'task-1',
        parent: PARENT,
        children: [{ ...leaf, id: 'task-2', children: [] }],
      },
    ];
    const flows = new Flows(client, ours);
    await flows.submit(trees);
    const jobs = async (): Promise<unknown[]> =>
      Object.entries(await dump(client, ours)).filter(([key]) => !/:(events|id)$/.test(key));
    const before = await jobs();
    await flows.submit(trees);
    expect(await jobs()).toEqual(before);
  });

  it('go in a transaction of several scripts where one would run so long that Redis refuses others', async () => {
    const { client, ours, theirs } = await places();
    const leaf = {
      queue: 'tester',
      name: 'Leaf',
      data: {},
      options: { priority: 3 },
      children: [],
    };
    const trees: JobTree[] = Array.from({ length: 20_001 }, (_, id) => ({
      ...leaf,
      id: `task-${id}`,
    }));
    await client.config('RESETSTAT');
    await new Flows(client, ours).submit(trees);
    const statistics = await client.info('commandstats');
    expect(statistics).toMatch(/cmdstat_exec:calls=1,/);
    const scripts = [...statistics.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)];
    expect(scripts.reduce((sum, [, calls]) => sum + Number(calls), 0)).toBe(3);
    expect(await client.zcard(`${ours}:tester:prioritized`)).toBe(20_001);
    await client.set(`${theirs}:tester:prioritized`, 'no set');
    await expect(new Flows(client, theirs).submit(trees)).rejects.toThrow('WRONGTYPE');
  });
});
