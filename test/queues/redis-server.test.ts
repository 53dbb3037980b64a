import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  mkdtemp,
  readFile,
  realpath,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { redisSocketOf } from '../../src/queues/redis-process.js';
import {
  startRedisServer,
  type ManagedRedis,
  type RedisServerOptions,
} from '../../src/queues/redis-server.js';

let dir: string;
const servers: ManagedRedis[] = [];
const clients: Redis[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(await realpath(tmpdir()), 'drover-redis-'));
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  for (const server of servers.splice(0)) await server.stop();
  await rm(dir, { recursive: true, force: true });
});

async function start(options: Partial<RedisServerOptions> = {}): Promise<ManagedRedis> {
  const server = await startRedisServer({ dir, ...options });
  servers.push(server);
  return server;
}

function connect(server: ManagedRedis): Redis {
  const client = new Redis(server.connection);
  client.on('error', () => undefined);
  clients.push(client);
  return client;
}

/** Whether it runs; what has ended but was not reaped by the machine's first process yet does not. */
const isAlive = (pid: number): boolean =>
  /^[^Z]/.test(spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout);

/** An owner in a process of its own, so that it can be killed; resolves with what it started. */
async function otherOwner(): Promise<{ kill(): Promise<void>; pid: number; adopted: boolean }> {
  const program = fileURLToPath(new URL('redis-owner.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    ...(JSON.parse(line.toString()) as { pid: number; adopted: boolean }),
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

describe('a managed Redis', () => {
  it('keeps every job, on a socket that only its owner can open', async () => {
    const server = await start();
    const client = connect(server);
    const config = async (name: string) => (await client.config('GET', name)) as [string, string];

    expect(await config('appendonly')).toEqual(['appendonly', 'yes']);
    expect(await config('appendfsync')).toEqual(['appendfsync', 'everysec']);
    expect(await config('maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await config('save')).toEqual(['save', '']);
    expect(await config('port')).toEqual(['port', '0']);
    expect(await config('dir')).toEqual(['dir', join(dir, 'redis')]);
    expect((await stat(server.connection.path)).mode & 0o777).toBe(0o700);
    expect(server.adopted).toBe(false);
    expect(JSON.parse(await readFile(join(dir, 'redis.json'), 'utf8'))).toMatchObject({
      pid: server.pid,
      socket: server.connection.path,
    });
  });

  it('is gone after stop, and its data are there after the next start', async () => {
    const first = await start();
    await connect(first).set('key', 'value');
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    expect(readdirSync(dir).toSorted()).toEqual(['redis', 'redis.log']);

    expect(await connect(await start()).get('key')).toBe('value');
  });

  it('comes back from its append-only file each time it is killed', async () => {
    const restarts: unknown[] = [];
    const server = await start({ onRestart: (outcome) => restarts.push(outcome) });
    const client = connect(server);
    for (const round of [1, 2, 3]) {
      const { pid } = server;
      await client.set(`key-${round}`, 'value');
      process.kill(pid, 'SIGKILL');
      await expect.poll(() => restarts.length).toBe(round);
      expect(server.pid).not.toBe(pid);
      expect(restarts.at(-1)).toEqual({ pid: server.pid });
    }
    expect(await client.mget('key-1', 'key-2', 'key-3')).toEqual(['value', 'value', 'value']);
  });

  it('says why it could not be started again, and goes on trying', async () => {
    const outcomes: ({ pid: number } | { error: Error })[] = [];
    const server = await start({ onRestart: (outcome) => outcomes.push(outcome) });
    const manifest = join(dir, 'redis', 'appendonlydir', 'appendonly.aof.manifest');
    const content = await readFile(manifest, 'utf8');
    await writeFile(manifest, 'no manifest\n');
    process.kill(server.pid, 'SIGKILL');
    await expect.poll(() => outcomes.length).toBeGreaterThan(0);
    expect(outcomes[0]).toMatchObject({
      error: { code: 'redis-unreachable', message: expect.stringContaining('manifest') as string },
    });

    await writeFile(manifest, content);
    await expect.poll(() => outcomes.at(-1)).toHaveProperty('pid');
    expect(await connect(server).ping()).toBe('PONG');
  });

  it('starts with an append-only file whose end a crash cut off', async () => {
    const first = await start();
    const client = connect(first);
    await client.set('whole', 'value');
    await client.set('cut', 'value');
    await first.stop();
    const folder = join(dir, 'redis', 'appendonlydir');
    const file = join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.incr.aof'))!,
    );
    await truncate(file, (await stat(file)).size - 3);

    const second = connect(await start());
    expect(await second.mget('whole', 'cut')).toEqual(['value', null]);
  });

  it('is adopted after its owner was killed, together with its data', async () => {
    const owner = await otherOwner();
    await owner.kill();
    expect(isAlive(owner.pid)).toBe(true);

    const restarts: unknown[] = [];
    const server = await start({ onRestart: (outcome) => restarts.push(outcome) });
    expect(server).toMatchObject({ adopted: true, pid: owner.pid });

    const client = connect(server);
    await client.set('key', 'value');
    process.kill(server.pid, 'SIGKILL');
    await expect.poll(() => restarts).toHaveLength(1);
    expect(restarts).toEqual([{ pid: server.pid }]);
    expect(server.pid).not.toBe(owner.pid);
    expect(await client.get('key')).toBe('value');
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });

  it('is stopped also when it was adopted', async () => {
    const owner = await otherOwner();
    await owner.kill();
    const server = await start();
    await server.stop();
    await expect.poll(() => isAlive(owner.pid)).toBe(false);
  });

  it('is one server when several processes start it together', async () => {
    const owners = await Promise.all([otherOwner(), otherOwner(), start()]);
    expect(new Set(owners.map((owner) => owner.pid)).size).toBe(1);
    expect(owners.filter((owner) => !owner.adopted)).toHaveLength(1);
    await owners[0].kill();
    await owners[1].kill();
  });

  it('is not hindered by what a crash left: a socket file, a lock, a record', async () => {
    const ended = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await once(ended, 'exit');
    await writeFile(join(dir, 'redis.sock'), '');
    await writeFile(join(dir, 'redis.lock'), String(ended.pid));
    await writeFile(join(dir, 'redis.json'), `{"pid":${ended.pid},"socket":"`);
    expect(await connect(await start()).ping()).toBe('PONG');
  });

  it('ends by itself when its owner has no time to wait', async () => {
    const server = await start();
    const { pid } = server;
    server.stopNow();
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it('works in a folder whose name has odd characters', async () => {
    dir = join(dir, 'a "b" \'c\' ü #\\');
    const server = await start();
    const client = connect(server);
    expect(await client.config('GET', 'dir')).toEqual(['dir', join(dir, 'redis')]);
    await client.set('key', 'value');
    expect(server.connection.path).toBe(join(dir, 'redis.sock'));
  });
});

describe('the socket of a long path', () => {
  const long = (): string => join(dir, 'x'.repeat(120));

  it('lies in a short folder that nobody else can enter', async () => {
    const server = await start({ dir: long() });
    expect(Buffer.byteLength(server.connection.path)).toBeLessThan(104);
    expect((await stat(join(server.connection.path, '..'))).mode & 0o777).toBe(0o700);
    expect(redisSocketOf(long())).toBe(server.connection.path);
    expect(await connect(server).ping()).toBe('PONG');
    await server.stop();
    await rm(join(server.connection.path, '..'), { recursive: true });
  });

  it('is refused where others can reach it', async () => {
    const server = await start({ dir: long() });
    await server.stop();
    const place = join(server.connection.path, '..');
    await chmod(place, 0o755);
    await expect(start({ dir: long() })).rejects.toMatchObject({
      code: 'redis-unreachable',
      message: expect.stringContaining('open to other users') as string,
    });
    await rm(place, { recursive: true });
  });
});

describe('without a usable Redis', () => {
  it('says how to get one', async () => {
    await expect(start({ binary: 'no-such-redis-server' })).rejects.toMatchObject({
      code: 'redis-unreachable',
      message: expect.stringContaining('no-such-redis-server not found') as string,
      remedy: expect.stringMatching(
        /apt-get.*brew.*demo.*docker compose up redis.*REDIS_URL/,
      ) as string,
    });
  });

  it('says so of one that ends at once, however soon', async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      await expect(start({ binary: 'false' })).rejects.toMatchObject({
        message: expect.stringContaining('did not start (status 1)') as string,
      });
    }
  });

  it('shows the last words of one that does not start', async () => {
    await (await start()).stop();
    await writeFile(join(dir, 'redis', 'appendonlydir', 'appendonly.aof.manifest'), 'nonsense\n');
    const failure = await start().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'redis-unreachable' });
    expect((failure as Error).message).toContain('manifest');
    expect((failure as Error).message).not.toContain('Ready to accept connections');
  });
});
