/** Processes that stay wait for a Redis of one's own that is not there at their start. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { places } from './support.js';

const place = places();
const started: ReturnType<typeof spawn>[] = [];
afterEach(async () => {
  for (const redis of started.splice(0)) {
    redis.kill('SIGKILL');
    if (redis.exitCode === null && redis.signalCode === null) await once(redis, 'exit');
  }
});

function startRedis(dir: string, socket: string, ...settings: readonly string[]): void {
  const args = ['--port', '0', '--unixsocket', socket, '--dir', dir, '--save', '', ...settings];
  started.push(spawn('redis-server', args, { stdio: 'ignore' }));
}

const AWAY = /does not answer: .*\n.*Start it .* It is waited for/;

describe('a Redis that is not there at the start', () => {
  it('is waited for by a supervisor and by agents, which then work', async () => {
    const here = await place();
    const socket = join(here.dir, 'redis.sock');
    const env = { REDIS_URL: socket };
    const up = here.start(['up', '--port', '0', '--agents', 'nothing'], env);
    await up.says(AWAY);
    const behind = await place();
    const detached = behind.start(['up', '--detach', '--port', '0', '--prefix', 'other'], env);
    await detached.says(AWAY);
    const agent = here.start(['agent', 'shell'], env);
    await agent.says(AWAY);
    startRedis(here.dir, socket);
    await Promise.all([up.says(/Bull Board/), agent.says(/Offers shell/)]);
    expect(await detached.ended).toMatchObject({ code: 0 });
    expect(await behind.drover(['down'])).toMatchObject({ code: 0 });

    const flow = await here.flow('name: Ends\ntasks:\n  only: { run: "true" }\n');
    expect(await here.drover(['enqueue', flow, '--wait'], env)).toMatchObject({ code: 0 });
    for (const running of [agent, up]) {
      running.child.kill('SIGTERM');
      expect(await running.ended).toMatchObject({ code: 0 });
    }
  });

  it('is waited for no longer after a signal', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0'], { REDIS_URL: join(here.dir, 'none.sock') });
    await up.says(AWAY);
    up.child.kill('SIGINT');
    expect(await up.ended).toMatchObject({ code: 130 });
  });

  it('is not waited for where it asks for another password', async () => {
    const here = await place();
    const socket = join(here.dir, 'redis.sock');
    startRedis(here.dir, socket, '--requirepass', 'right');
    const up = here.start(['up', '--port', '0'], { REDIS_URL: socket });
    const { code, err } = await up.ended;
    expect(code).toBe(5);
    expect(err).toContain('does not let Drover in');
  });
});
