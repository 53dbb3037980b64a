import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkRedis, judgeRedis, parseInfo } from '../../src/queues/redis-check.js';

let dir: string;
let child: ChildProcess | undefined;
let client: Redis | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'drover-check-'));
});

afterEach(async () => {
  client?.disconnect();
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  child = undefined;
  await rm(dir, { recursive: true, force: true });
});

/** A client of a server with those settings, which waits for Redis for ever, as BullMQ's do. */
function serve(...settings: string[]): Redis {
  const socket = join(dir, 'redis.sock');
  child = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', socket, '--dir', dir, '--save', '', ...settings],
    { stdio: 'ignore' },
  );
  return connect(socket);
}

function connect(socket: string): Redis {
  client = new Redis({ path: socket, maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  return client;
}

const KEEPS_ALL = ['--maxmemory-policy', 'noeviction', '--appendonly', 'yes'];

describe('checkRedis', () => {
  it('accepts a server that keeps everything', async () => {
    const facts = await checkRedis(serve(...KEEPS_ALL));
    expect(facts.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(facts.warnings).toEqual([]);
  });

  it('warns of a server without an append-only file', async () => {
    const { warnings } = await checkRedis(serve('--appendonly', 'no'));
    expect(warnings).toEqual([expect.stringContaining('appendonly')]);
  });

  it('refuses a server that evicts keys, and says how to change that', async () => {
    await expect(checkRedis(serve('--maxmemory-policy', 'allkeys-lru'))).rejects.toMatchObject({
      code: 'redis-unsuitable',
      message: expect.stringContaining('allkeys-lru') as string,
      remedy: expect.stringContaining('CONFIG SET maxmemory-policy noeviction') as string,
    });
  });

  it('works where CONFIG is forbidden, as managed services do', async () => {
    const redis = serve(...KEEPS_ALL, '--rename-command', 'CONFIG', '');
    await expect(redis.config('GET', 'maxmemory-policy')).rejects.toThrow('unknown command');
    expect((await checkRedis(redis)).warnings).toEqual([]);
  });

  it('refuses a cluster', async () => {
    // A cluster's bus lies 10,000 ports above, so that a port of its own is needed, on loopback. Both are below those
    // that systems give to connections.
    const port = 10_000 + (process.pid % 10_000);
    const cluster = ['--cluster-enabled', 'yes', '--bind', '127.0.0.1', '--port', String(port)];
    await expect(checkRedis(serve(...cluster))).rejects.toMatchObject({
      code: 'redis-unsuitable',
      message: expect.stringContaining('cluster') as string,
    });
  });

  it('refuses a replica and names its primary', async () => {
    await expect(checkRedis(serve('--replicaof', '127.0.0.1 1'))).rejects.toMatchObject({
      code: 'redis-unsuitable',
      remedy: expect.stringContaining('127.0.0.1:1') as string,
    });
  });

  it('waits for a server that loads its data', async () => {
    const writer = serve(...KEEPS_ALL);
    const keys = Array.from({ length: 5_000 }, (_, key) => [key, 'value']);
    await writer.mset(Object.fromEntries(keys));
    await writer.bgrewriteaof();
    await expect
      .poll(async () => parseInfo(await writer.info()).get('aof_rewrite_in_progress'))
      .toBe('0');
    writer.disconnect();
    child!.kill('SIGKILL');
    await once(child!, 'exit');
    // Five milliseconds per key until it was seen to load, and Redis answers in between.
    const slow = serve(
      ...KEEPS_ALL,
      '--key-load-delay',
      '5000',
      '--loading-process-events-interval-bytes',
      '1024',
    );
    const impatient = new Redis({
      path: join(dir, 'redis.sock'),
      enableReadyCheck: false,
      retryStrategy: () => 20,
    });
    impatient.on('error', () => undefined);
    try {
      await expect
        .poll(() => impatient.ping().catch((error: Error) => error.message))
        .toMatch('LOADING');
      const checked = checkRedis(impatient);
      await impatient.config('SET', 'key-load-delay', '0');
      await checked;
      expect(await slow.dbsize()).toBe(5_000);
    } finally {
      impatient.disconnect();
    }
  });

  it('gives up on a server that is away, and says how to start one', async () => {
    await expect(checkRedis(connect(join(dir, 'none.sock')), 300)).rejects.toMatchObject({
      code: 'redis-unreachable',
      message: expect.stringContaining(join(dir, 'none.sock')) as string,
      remedy: expect.stringContaining('docker compose up redis') as string,
    });
  });

  it('keeps the password of the connection to itself', async () => {
    serve('--requirepass', 'correct horse');
    const wrong = new Redis({ path: join(dir, 'redis.sock'), password: 'wrong battery' });
    wrong.on('error', () => undefined);
    const failure = (await checkRedis(wrong, 1_000).catch((error: unknown) => error)) as Error;
    wrong.disconnect();
    expect(failure).toMatchObject({ code: 'redis-unreachable' });
    expect(JSON.stringify(failure) + failure.message).not.toContain('battery');
  });
});

describe('judgeRedis', () => {
  const suitable = {
    redis_version: '7.2.4',
    redis_mode: 'standalone',
    role: 'master',
    maxmemory_policy: 'noeviction',
    aof_enabled: '1',
  };
  const judge = (fields: Record<string, string>) =>
    judgeRedis(new Map(Object.entries({ ...suitable, ...fields })));

  it.each(['6.2.0', '6.10.1', '7.0.15', '10.0.0'])('takes version %s', (version) => {
    expect(judge({ redis_version: version }).version).toBe(version);
  });

  it.each(['5.0.14', '6.0.16', '2.8.9'])('refuses version %s', (version) => {
    expect(() => judge({ redis_version: version })).toThrow(
      expect.objectContaining({
        code: 'redis-unsuitable',
        message: expect.stringContaining(`version ${version}`) as string,
      }) as Error,
    );
  });
});
