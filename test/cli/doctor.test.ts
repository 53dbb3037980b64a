/** `drover doctor`: each lack is found, with what helps. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { places, until } from './support.js';

const place = places();

interface Examination {
  readonly sound: boolean;
  readonly checks: readonly { check: string; result: string; text: string; remedy?: string }[];
}

const found = (out: string, check: string): object | undefined =>
  (JSON.parse(out) as Examination).checks.find((entry) => entry.check === check);

describe('drover doctor', () => {
  it('finds this machine sound and leaves no trace', async () => {
    const here = await place();
    const { code, out } = await here.drover(['doctor', '--json']);
    expect(code).toBe(0);
    const { sound, checks } = JSON.parse(out) as Examination;
    expect(sound).toBe(true);
    expect(checks.map(({ check, result }) => [check, result])).toEqual(
      [
        'node',
        'sqlite',
        'git',
        'sandbox',
        'redis',
        'data directory',
        'log',
        'large results',
        'supervisor',
        'disk space',
        'orphans',
      ].map((check) => [check, 'ok']),
    );
    expect(existsSync(here.data)).toBe(false);
  });

  it('tells how large the results are that are kept beside the log', async () => {
    const here = await place();
    await mkdir(join(here.data, 'results'), { recursive: true });
    for (const name of ['one', 'two'])
      await writeFile(join(here.data, 'results', name), Buffer.alloc(100 * 1_024));
    const { out } = await here.drover(['doctor', '--json']);
    expect(found(out, 'large results')).toMatchObject({
      result: 'ok',
      text: `2 kept beside the log in ${join(here.data, 'results')}, 200 KiB`,
    });
  });

  it('names what is not installed', async () => {
    const here = await place();
    const { code, out } = await here.drover(['doctor', '--json'], { PATH: here.dir });
    expect(code).toBe(5);
    expect(found(out, 'git')).toMatchObject({
      result: 'failed',
      remedy: expect.stringContaining('apt-get'),
    });
    expect(found(out, 'redis')).toMatchObject({
      result: 'failed',
      remedy: expect.stringContaining('REDIS_URL'),
    });
  });

  it('names a git that is too old', async () => {
    const here = await place();
    const git = join(here.dir, 'git');
    for (const [version, result] of [
      ['2.9.5', 'failed'],
      ['2.38.0', 'ok'],
    ]) {
      await writeFile(git, `#!/bin/sh\necho git version ${version}\n`, { mode: 0o755 });
      const { out } = await here.drover(['doctor', '--json'], {
        PATH: `${here.dir}:${process.env['PATH']}`,
      });
      expect(found(out, 'git')).toMatchObject({ result, text: expect.stringContaining(version!) });
    }
  });

  it('names a Redis that cannot be reached, and one that would lose jobs', async () => {
    const here = await place();
    const away = await here.drover(['doctor', '--json', '--redis', 'redis://127.0.0.1:1']);
    expect(away.code).toBe(5);
    expect(found(away.out, 'redis')).toMatchObject({
      result: 'failed',
      text: expect.stringContaining('REFUSED'),
    });

    const socket = join(here.dir, 'r.sock');
    const args = [
      '--port',
      '0',
      '--unixsocket',
      socket,
      '--dir',
      here.dir,
      '--maxmemory-policy',
      'allkeys-lru',
    ];
    const server = spawn('redis-server', args, { stdio: 'ignore' });
    try {
      await until(() => existsSync(socket));
      const evicting = await here.drover(['doctor', '--json'], { REDIS_URL: socket });
      expect(evicting.code).toBe(5);
      expect(found(evicting.out, 'redis')).toMatchObject({
        result: 'failed',
        text: expect.stringContaining('allkeys-lru'),
        remedy: expect.stringContaining('noeviction'),
      });
    } finally {
      server.kill('SIGTERM');
      await once(server, 'exit');
    }
  });

  it('names a data directory that is none, and a log that cannot be read', async () => {
    const here = await place();
    await mkdir(here.data);
    await writeFile(
      join(here.data, 'drover.sqlite'),
      'This is no database, and long enough to be seen as none.'.repeat(40),
    );
    const damaged = await here.drover(['doctor', '--json']);
    expect(damaged.code).toBe(5);
    expect(found(damaged.out, 'log')).toMatchObject({
      result: 'failed',
      remedy: expect.any(String),
    });
    const { out } = await here.drover(['doctor']);
    expect(out).toMatch(/^✗ log /m);
  });
});
