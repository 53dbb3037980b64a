import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, unlessAway } from '../../src/queues/connection.js';
import { ask } from '../../src/queues/redis-probe.js';

let dir: string;
let socket: string;
let server: ChildProcess;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'drover-connection-'));
  socket = join(dir, 'redis.sock');
  const settings = ['--port', '0', '--unixsocket', socket, '--dir', dir, '--save', ''];
  server = spawn('redis-server', [...settings, '--requirepass', 'right'], { stdio: 'ignore' });
  // It wants a password of the probe as well: that is an answer.
  await expect.poll(async () => (await ask(socket)).state, { timeout: 5_000 }).toBe('silent');
});

afterEach(async () => {
  server.kill('SIGKILL');
  if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
  await rm(dir, { recursive: true, force: true });
});

describe('a Redis with a password', () => {
  it('is used with it', async () => {
    const connection = await connect({ path: socket, password: 'right' });
    expect(await connection.client.ping()).toBe('PONG');
    await connection.close();
  });

  it.each([
    ['none', {}, 'NOAUTH'],
    ['another one', { password: 'wrong-secret' }, 'WRONGPASS'],
  ])('is told apart from one that does not run, where there is %s', async (_, given, said) => {
    const failure: unknown = await connect({ path: socket, ...given }).catch((error) => error);
    expect(failure).toMatchObject({
      code: 'redis-unreachable',
      message: expect.stringMatching(`does not let Drover in: ${said}.*[^.]\\.$`) as string,
      remedy: expect.stringContaining('password@host') as string,
    });
    expect(String(failure)).not.toContain('wrong-secret');
  });
});

it('is waited for again once it answers, where somebody had waited for it in vain', async () => {
  const connection = await connect({ path: socket, password: 'right' });
  const { client } = connection;
  server.kill('SIGSTOP');
  await unlessAway(client, client.ping());
  server.kill('SIGCONT');
  await client.ping();
  let isOver = false;
  // Longer than whoever has given up looks at it.
  const work = delay(500).then(() => (isOver = true));
  await unlessAway(client, work);
  expect(isOver).toBe(true);
  await connection.close();
});
