/** Invariant 5: a claim that lost its lock writes nothing, whatever it tries. */
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { Queue, raw2NextJobData, Worker } from 'bullmq';
import { describe, expect, it } from 'vitest';
import type { AgentEvent } from '../../src/core/events.js';
import { taskSpecSchema } from '../../src/core/plan.js';
import { type Claim, Claims } from '../../src/queues/claim.js';
import type { Write } from '../../src/queues/writes.js';
import { connect, type RedisClient } from '../../src/queues/connection.js';
import { limitsKey, ownerKey, vouchKey } from '../../src/queues/keys.js';
import { announceCancel } from '../../src/queues/notices.js';
import { setPaused } from '../../src/queues/pauses.js';
import { Vouch } from '../../src/queues/vouch.js';
import { backoffDelay } from '../../src/queues/worker.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const UNENDING = new AbortController().signal;

/** Takes one job by hand, as a worker would, and gives its claim to the test. */
async function claimed(
  test: (claim: Claim, prefix: string, queue: Queue) => Promise<void>,
  redis = bed.redis().connection,
): Promise<void> {
  const prefix = 'claims';
  const connection = await connect(redis);
  await connection.client.flushall();
  const claims = new Claims(connection.client, prefix);
  const queue = new Queue('developer', { connection: connection.client, prefix });
  const task = taskSpecSchema.parse({
    id: 'task-1',
    name: 'a',
    capability: 'developer',
    priority: 'normal',
  });
  const data = {
    goal: 'goal-1',
    title: 'G',
    project: 'p',
    task,
    names: {},
    results: {},
    floor: 3_000,
  };
  await queue.add('a', data, { jobId: 'task-1' });
  await vouchFor(connection.client, prefix);
  const worker = new Worker('developer', null, { connection: connection.client, prefix });
  try {
    const job = await worker.getNextJob('token');
    const claim = claims.of(job, 'token', {
      name: 'somebody',
      lockDuration: 30_000,
      takesMore: () => true,
    });
    await test(claim, prefix, queue);
  } finally {
    await worker.close();
    await queue.close();
    await connection.close();
  }
}

/** A way to Redis that breaks once, behind the answer to the first command that has this text. */
async function breakingAt(text: string, test: (redis: { path: string }) => Promise<void>) {
  const path = join(bed.folder(), 'breaking.sock');
  let isWhole = true;
  const server = createServer((client) => {
    let breaks = false;
    const redis = createConnection(bed.redis().connection);
    for (const end of [client, redis]) end.on('error', () => undefined);
    client.on('close', () => redis.destroy());
    client.on('data', (sent) => {
      breaks = isWhole && sent.includes(text);
      redis.write(sent);
    });
    redis.on('data', (answer) => {
      if (!breaks) return client.write(answer);
      isWhole = false;
      return client.destroy();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  await test({ path });
  expect(isWhole).toBe(false);
  server.close();
}

/** As the supervisor does once it has compared this Redis with the log. */
async function vouchFor(client: RedisClient, prefix: string): Promise<void> {
  await client.set(ownerKey(prefix), 'log');
  const vouch = new Vouch(client, prefix);
  await vouch.vouch((await vouch.unvouched())!, 'log');
  expect(await vouch.unvouched()).toBeUndefined();
}

const stream = async (prefix: string): Promise<string[]> => {
  const { client, close } = await connect(bed.redis().connection);
  const entries = await client.xrange(`${prefix}:developer:events`, '-', '+');
  await close();
  return entries.flatMap(([, fields]) => fields.filter((field) => field.startsWith('{')));
};

/** What happened in the queue, in BullMQ's words. */
const kinds = async (prefix: string): Promise<string[]> => {
  const { client, close } = await connect(bed.redis().connection);
  const entries = await client.xrange(`${prefix}:developer:events`, '-', '+');
  await close();
  return entries.map(([, [, kind]]) => kind!);
};

describe('a claim', () => {
  it('is numbered above the goal’s floor, and its writes carry the number', async () => {
    await claimed(async (claim, prefix) => {
      await claim.open([{ type: 'context.built', needs: [] }], UNENDING);
      await claim.write([{ step: 's', result: { deep: [1] } }, { progress: 50 }, { log: 'line' }]);
      expect(claim.number).toBe(3_001);
      expect((await stream(prefix)).map((text) => JSON.parse(text) as unknown)).toEqual([
        { claim: 3_001, type: 'context.built', needs: [] },
        { claim: 3_001, type: 'step.done', step: 's', result: { deep: [1] } },
        { claim: 3_001, type: 'task.progressed', progress: 50 },
      ]);
      const { journal } = await claim.open([], UNENDING);
      expect(journal).toEqual(new Map([['s', { deep: [1] }]]));
    });
  });

  it('announces a step once, also where its answer was lost and it is sent again', async () => {
    await breakingAt('one-step', (redis) =>
      claimed(async (claim, prefix) => {
        await claim.write([{ step: 'one-step', result: 1 }, { progress: 50 }]);
        await claim.write([{ step: 'one-step', result: 2 }]);
        const told = (await stream(prefix)).filter((text) => text.includes('step.done'));
        expect(told.map((text) => (JSON.parse(text) as { result: number }).result)).toEqual([1, 2]);
      }, redis),
    );
  });

  it('whose lock another one holds, or nobody, is refused and has written nothing', async () => {
    await claimed(async (claim, prefix) => {
      const { client, close } = await connect(bed.redis().connection);
      const before = await stream(prefix);
      const everything: Write[] = [
        { event: { type: 'context.built', needs: [] } },
        { step: 's', result: 1 },
        { log: 'line' },
        { progress: 1 },
        { declined: 'no', agent: 'a' },
      ];
      for (const other of ['another', undefined]) {
        if (other === undefined) await client.del(`${prefix}:developer:task-1:lock`);
        else await client.set(`${prefix}:developer:task-1:lock`, other);
        await expect(claim.write(everything)).rejects.toMatchObject({ code: 'stale-claim' });
        await expect(
          claim.open([{ type: 'context.built', needs: [] }], UNENDING),
        ).rejects.toMatchObject({
          code: 'stale-claim',
        });
      }
      expect(await stream(prefix)).toEqual(before);
      expect(
        await client.exists(`${prefix}:journal:task-1`, `${prefix}:developer:task-1:logs`),
      ).toBe(0);
      expect(
        await client.hmget(`${prefix}:developer:task-1`, 'progress', 'declines'),
      ).not.toContain('1');
      await close();
    });
  });

  it('does not begin in a Redis that nobody has compared with the log', async () => {
    await claimed(async (claim, prefix) => {
      const { client, close } = await connect(bed.redis().connection);
      // As after a restart: the vouch came back with the data, and is of another run.
      await client.set(vouchKey(prefix), 'f'.repeat(40));
      const before = await stream(prefix);
      const stop = new AbortController();
      const opening = claim.open([{ type: 'context.built', needs: [] }], stop.signal);
      stop.abort(new Error('enough'));
      await expect(opening).rejects.toThrow('enough');
      expect(await stream(prefix)).toEqual(before);
      await vouchFor(client, prefix);
      await claim.open([{ type: 'context.built', needs: [] }], UNENDING);
      expect(await stream(prefix)).not.toEqual(before);
      // A vouch for data that were lost meanwhile is not given.
      await client.flushall();
      const vouch = new Vouch(client, prefix);
      const run = (await vouch.unvouched())!;
      await vouch.vouch(run, 'log');
      expect(await vouch.unvouched()).toBe(run);
      await close();
    });
  });

  it('of a cancelled goal does not begin', async () => {
    await claimed(async (claim, prefix) => {
      const { client, close } = await connect(bed.redis().connection);
      await announceCancel(client, prefix, 'goal-1');
      await expect(claim.open([], UNENDING)).rejects.toMatchObject({ code: 'cancelled' });
      await close();
    });
  });
});

describe('a claim that is opened by its completion', () => {
  const began: AgentEvent = { type: 'context.built', needs: [] };

  it('completes its job behind what it announces, and gets the next one', async () => {
    await claimed(async (claim, prefix, queue) => {
      await queue.add('b', {}, { jobId: 'task-2' });
      const answer = await claim.openAndComplete([began], JSON.stringify({ done: 1 }), UNENDING);
      const [next, id] = raw2NextJobData(answer as unknown[]);
      expect([next.name, id]).toEqual(['b', 'task-2']);
      expect((await queue.getJob('task-1'))!.returnvalue).toEqual({ done: 1 });
      expect((await queue.getJob('task-2'))!.processedBy).toBe('somebody');
      const { client, close } = await connect(bed.redis().connection);
      const lock = `${prefix}:developer:task-2:lock`;
      expect([await client.get(lock), (await client.pttl(lock)) > 0]).toEqual(['token', true]);
      await close();
      expect(await kinds(prefix)).toEqual([
        'added',
        'waiting',
        'active',
        'added',
        'waiting',
        'drover',
        'completed',
        'active',
      ]);
      // It has handed in its result, and writes nothing any more.
      await expect(claim.openAndComplete([began], '2', UNENDING)).rejects.toMatchObject({
        code: 'stale-claim',
      });
      await expect(claim.write([{ log: 'late' }])).rejects.toMatchObject({ code: 'stale-claim' });
    });
  });

  const refusals: [
    string,
    (client: RedisClient, prefix: string) => Promise<unknown>,
    error: object,
    state: string,
  ][] = [
    [
      'whose lock another one holds',
      (client, prefix) => client.set(`${prefix}:developer:task-1:lock`, 'another'),
      { code: 'stale-claim' },
      'active',
    ],
    [
      'whose lock nobody holds',
      (client, prefix) => client.del(`${prefix}:developer:task-1:lock`),
      { code: 'stale-claim' },
      'active',
    ],
    [
      'whose number was raised',
      (client, prefix) => client.hincrby(`${prefix}:developer:task-1`, 'ats', 1),
      { name: 'Renumbered' },
      'active',
    ],
    [
      'whose goal is cancelled',
      (client, prefix) => announceCancel(client, prefix, 'goal-1'),
      { code: 'cancelled' },
      'active',
    ],
    [
      'whose goal is paused',
      (client, prefix) => setPaused(client, prefix, 'goal-1', true),
      { name: 'Held' },
      'delayed',
    ],
    [
      'whose project has used up its limit',
      (client, prefix) => client.hset(limitsKey(prefix), 'project:p', 0),
      { name: 'Held' },
      'delayed',
    ],
  ];
  it.each(refusals)('%s completes nothing', async (_, happens, error, state) => {
    await claimed(async (claim, prefix, queue) => {
      await queue.add('b', {}, { jobId: 'task-2' });
      const { client, close } = await connect(bed.redis().connection);
      await happens(client, prefix);
      await close();
      await expect(claim.openAndComplete([began], '1', UNENDING)).rejects.toMatchObject(error);
      const { data: _data, ...task } = (await queue.getJob('task-1'))!.asJSON();
      expect(task).toMatchObject({ returnvalue: 'null', attemptsMade: 0 });
      expect(await queue.getJobState('task-1')).toBe(state);
      expect(await queue.getJobState('task-2')).toBe('waiting');
      expect((await stream(prefix)).join()).not.toContain('context.built');
    });
  });

  it('waits where nobody has compared Redis with the log, and completes once somebody has', async () => {
    await claimed(async (claim, prefix, queue) => {
      const { client, close } = await connect(bed.redis().connection);
      await client.set(vouchKey(prefix), 'f'.repeat(40));
      const stop = new AbortController();
      const given = claim.openAndComplete([began], '1', stop.signal);
      stop.abort(new Error('enough'));
      await expect(given).rejects.toThrow('enough');
      expect(await queue.getJobState('task-1')).toBe('active');
      const completed = claim.openAndComplete([began], '1', UNENDING);
      await vouchFor(client, prefix);
      await completed;
      expect(await queue.getJobState('task-1')).toBe('completed');
      await close();
    });
  });

  it('gives a slot back that it took', async () => {
    await claimed(async (claim, prefix) => {
      const { client, close } = await connect(bed.redis().connection);
      await client.hset(limitsKey(prefix), 'project:p', 1);
      await claim.openAndComplete([began], '1', UNENDING);
      expect(await client.hlen(`${prefix}:slots:project:p`)).toBe(1);
      await claim.release();
      expect(await client.hlen(`${prefix}:slots:project:p`)).toBe(0);
      await close();
    });
  });
});

describe('the backoff', () => {
  const policy = { type: 'exponential', delay: 100, jitter: 0.5, cap: 1_000 } as const;
  it('doubles up to its cap, and leaves a part to chance', () => {
    expect([1, 2, 3, 4, 5].map((failures) => backoffDelay(policy, failures, 0))).toEqual([
      100, 200, 400, 800, 1_000,
    ]);
    expect(backoffDelay(policy, 5, 1)).toBe(500);
    expect(backoffDelay({ ...policy, type: 'fixed' }, 9, 0)).toBe(100);
    expect(backoffDelay(policy, 2_000, 0)).toBe(1_000);
  });
});
