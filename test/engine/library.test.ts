/** What programs hand to Drover that it cannot use, and what they ask of it too late. */
import { inspect } from 'node:util';
import { Cluster, Redis } from 'ioredis';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { connectDrover, createDrover } from '../../src/index.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const plan = { title: 'Any', tasks: [{ name: 'a', capability: 'work' }] };
const cwd = process.cwd();
afterEach(() => process.chdir(cwd));

function own(options: object): Redis {
  const client = new Redis({ ...bed.redis().connection, ...options });
  onTestFinished(() => client.disconnect());
  return client;
}

describe("a caller's Redis", () => {
  it('is copied, whatever its own limits are, and stays open', async () => {
    const client = own({ enableOfflineQueue: false, commandTimeout: 200, maxRetriesPerRequest: 1 });
    await new Promise((resolve) => client.once('ready', resolve));
    const drover = await bed.start({ redis: client });
    await drover.agent('work', () => 1);
    expect((await (await drover.enqueue(plan)).done()).state).toBe('DONE');
    await drover.close();
    expect(await client.ping()).toBe('PONG');
    expect(bed.errors).toEqual([]);
  });

  it('may be an instance of another copy of ioredis', async () => {
    const { options } = own({ lazyConnect: true });
    const foreign = { options, status: 'ready', duplicate: () => undefined };
    const drover = await bed.start({ redis: foreign as unknown as Redis });
    await drover.agent('work', () => 1);
    expect((await (await drover.enqueue(plan)).done()).state).toBe('DONE');
  });

  it.each([
    ['a keyPrefix', () => own({ lazyConnect: true, keyPrefix: 'mine:' }), /keyPrefix ‘mine:’/],
    ['a cluster', () => new Cluster([], { lazyConnect: true }), /is a Redis Cluster/],
    ['a port', () => 6379, /neither named nor described: number/],
    ['another kind of URL', () => 'http://:secret@127.0.0.1', /address of another kind/],
    ['no URL', () => 'redis://:secret:x', /no valid URL/],
    ['a host alone', () => 'localhost', /address of another kind/],
  ])('is refused before anything is written: %s', async (_, source, message) => {
    const error: unknown = await createDrover({
      redis: source() as Redis,
      dataDir: bed.folder(),
      projectsDir: null,
    }).catch((refusal: unknown) => refusal);
    expect(error).toMatchObject({ code: 'bad-input', message: expect.stringMatching(message) });
    expect(inspect(error)).not.toContain('secret');
  });
});

it('takes folders that are relative to where the program runs', async () => {
  process.chdir(bed.folder());
  const drover = await bed.start({ dataDir: 'data', projectsDir: 'projects' });
  await drover.agent('work', 'shell');
  const goal = await drover.enqueue({
    title: 'Relative',
    tasks: [{ name: 'a', capability: 'work', run: 'echo 1 | tee file', retry: { attempts: 1 } }],
  });
  expect(await goal.done()).toMatchObject({ state: 'DONE', tasks: [{ result: 1, error: null }] });
});

describe('a plan that is no JSON, or too large,', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const refused = [
    [{ circle }, 'bad-input', 'Task ‘a’ is not JSON: ‘with.circle.self’ is an object'],
    [{ count: 1n }, 'bad-input', 'Task ‘a’ is not JSON: ‘with.count’ is a big integer.'],
    [{ mean: NaN }, 'bad-input', 'Task ‘a’ is not JSON: ‘with.mean’ is NaN.'],
    [{ done: () => 1 }, 'bad-input', 'Task ‘a’ is not JSON: ‘with.done’ is a function.'],
    [
      { text: 'x'.repeat(1e8) },
      'too-large',
      'more than 64 MiB of JSON; the largest part is ‘with’ of',
    ],
  ] as const;
  const tasksWith = (input: unknown) => [{ name: 'a', capability: 'work', with: input as never }];

  it('is refused where it is handed in, and nothing is left of it', async () => {
    const drover = await bed.start();
    const joined = await connectDrover({
      redis: drover.connection.client,
      prefix: drover.prefix,
      dataDir: bed.folder('client'),
    });
    onTestFinished(() => joined.close());
    for (const [input, code, message] of refused) {
      const tasks = tasksWith(input);
      const error = { code, message: expect.stringContaining(message) };
      await expect(drover.enqueue({ title: 'T', tasks })).rejects.toMatchObject(error);
      await expect(joined.enqueue({ title: 'T', tasks })).rejects.toMatchObject(error);
      await expect(joined.addTasks('goal-1', tasks)).rejects.toMatchObject(error);
    }
    expect(await joined.connection.client.zcard(`${drover.prefix}:commands:completed`)).toBe(0);
    expect(drover.ledger.board.goal('goal-1')).toBeUndefined();
  });

  it('is refused of a handler that adds tasks, which fails at once', async () => {
    const drover = await bed.start();
    let calls = 0;
    await drover.agent('work', (task) => {
      calls += 1;
      return task.addTasks(tasksWith({ count: 1n }));
    });
    const { tasks } = await (await drover.enqueue(plan)).done();
    const error = expect.stringContaining('Task ‘a’ is not JSON: ‘with.count’ is a big integer.');
    expect(tasks).toMatchObject([{ state: 'FAILED', error }]);
    expect(calls).toBe(1);
  });
});

it('says what to write where a check is a text', async () => {
  const drover = await bed.start();
  const tasks = [{ name: 'a', capability: 'work', check: 'npm test' as never }];
  await expect(drover.enqueue({ title: 'Checked', tasks })).rejects.toMatchObject({
    code: 'bad-input',
    message:
      "The request cannot be read: tasks.0.check: must be an object with its command: { run: 'npm test' }.",
  });
});

describe('an agent', () => {
  it.each([
    ['no handler', [undefined], /has no handler/],
    ['a word that is not ‘shell’', ['shel'], /has no handler/],
    ['no place for tasks', [() => 1, { concurrency: 0 }], /cannot work on 0 tasks/],
    ['half a task', [() => 1, { concurrency: 1.5 }], /cannot work on 1\.5 tasks/],
    ['no number', [() => 1, { concurrency: NaN }], /cannot work on NaN tasks/],
  ])('is refused with %s', async (_, rest, message) => {
    const drover = await bed.start();
    const started = drover.agent('work', ...(rest as [() => number]));
    await expect(started).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringMatching(message),
    });
  });

  it('may think about whether to decline', async () => {
    const drover = await bed.start();
    const reasons = ['busy'];
    await drover.agent('work', () => 1, { declines: async () => reasons.pop() });
    const goal = await drover.enqueue(plan);
    expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', declines: 1, attempts: 1 }]);
  });
});

describe('after closing', () => {
  const closed = { code: 'conflict', message: 'This Drover is closed.' };

  it('handles and agents say so', async () => {
    const drover = await bed.start();
    const goal = await drover.enqueue(plan);
    await drover.close();
    await expect(goal.report()).rejects.toMatchObject(closed);
    await expect(goal.estimate()).rejects.toMatchObject(closed);
    await expect(goal.done()).rejects.toMatchObject(closed);
    await expect(goal.events().next()).rejects.toMatchObject(closed);
    await expect(drover.agent('work', () => 1)).rejects.toMatchObject(closed);
  });

  it('so does one that had joined', async () => {
    const drover = await bed.start();
    const client = await connectDrover({
      redis: bed.redis().connection,
      prefix: drover.prefix,
      dataDir: bed.folder(),
    });
    await client.close();
    await expect(client.enqueue(plan)).rejects.toMatchObject(closed);
    await expect(client.cancel('goal-1')).rejects.toMatchObject(closed);
    await expect(client.agent('work', () => 1)).rejects.toMatchObject(closed);
  });
});

it('shows nothing of its connection where a handle is printed', async () => {
  const drover = await bed.start();
  const goal = await drover.enqueue(plan);
  expect(inspect(goal, { depth: 10 })).not.toContain('redis');
  expect(inspect(goal)).toContain('goal-1');
});

describe('a timing', () => {
  it.each([0, 1, 999.5, Number.NaN, 2 ** 31])(
    'that cannot be is refused: %s',
    async (lockDuration) => {
      const options = { timing: { lockDuration }, dataDir: bed.folder(), projectsDir: null };
      for (const begin of [createDrover, connectDrover]) {
        await expect(begin({ ...options, redis: bed.redis().connection })).rejects.toMatchObject({
          code: 'bad-input',
          message: expect.stringContaining(`lockDuration cannot be ${lockDuration}`),
        });
      }
    },
  );
});
