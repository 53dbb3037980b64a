import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

/** The part of the compose specification that the file uses; anything else is a slip. */
const service = z.strictObject({
  image: z.string().optional(),
  build: z.string().optional(),
  command: z.array(z.string()),
  environment: z.record(z.string(), z.string()).optional(),
  volumes: z.array(z.string().regex(/^[a-z]+:\/[a-z]+$/)),
  ports: z.array(z.string()),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: z.string().regex(/^\d+s$/),
      timeout: z.string().regex(/^\d+s$/),
      retries: z.int(),
    })
    .optional(),
  depends_on: z
    .record(z.string(), z.strictObject({ condition: z.literal('service_healthy') }))
    .optional(),
  init: z.boolean().optional(),
  stop_grace_period: z.string().optional(),
  restart: z.literal('unless-stopped'),
});
const compose = z
  .strictObject({
    name: z.string(),
    services: z.strictObject({ redis: service, drover: service }),
    volumes: z.record(z.string(), z.null()),
  })
  .parse(parse(read('docker-compose.yml')));
const { redis, drover } = compose.services;

const composeWorks = spawnSync('docker', ['compose', 'version']).status === 0;
const cli = `${root}dist/cli/main.js`;

describe('docker-compose.yml', () => {
  it('keeps every job', () => {
    expect(redis.image).toMatch(/^redis:7/);
    expect(redis.command.join(' ')).toBe(
      'redis-server --appendonly yes --maxmemory-policy noeviction',
    );
    expect(redis.healthcheck?.test).toEqual(['CMD', 'redis-cli', 'ping']);
  });

  it('opens no port to other machines', () => {
    for (const port of [...redis.ports, ...drover.ports]) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it('refuses to start Drover without a token, since it listens on every address', () => {
    expect(drover.command).toContain('0.0.0.0');
    expect(drover.environment?.['DROVER_TOKEN']).toMatch(/^\$\{DROVER_TOKEN:\?.+\}$/);
  });

  it('declares the volumes and services it mounts and waits for', () => {
    const mounted = [redis, drover].flatMap(({ volumes }) =>
      volumes.map((one) => one.split(':')[0]),
    );
    expect(Object.keys(compose.volumes)).toEqual(mounted);
    expect(Object.keys(drover.depends_on ?? {})).toEqual(['redis']);
    expect(drover.environment?.['REDIS_URL']).toBe('redis://redis:6379');
  });

  it('publishes the port that Drover listens on', () => {
    const port = drover.command[drover.command.indexOf('--port') + 1];
    expect(drover.ports).toEqual([`127.0.0.1:${port}:${port}`]);
    expect(read('Dockerfile')).toContain(`EXPOSE ${port}`);
  });

  it('asks for a command and options that Drover has', { skip: !existsSync(cli) }, () => {
    const [command, ...options] = drover.command;
    const help = spawnSync(process.execPath, [cli, command!, '--help'], { encoding: 'utf8' });
    expect(help.status).toBe(0);
    for (const option of options.filter((word) => word.startsWith('--'))) {
      expect(help.stdout).toContain(option);
    }
  });

  it('is what docker compose takes it for', { skip: !composeWorks }, () => {
    const config = (env: NodeJS.ProcessEnv) =>
      spawnSync('docker', ['compose', 'config', '--quiet'], {
        cwd: root,
        env: { ...process.env, ...env },
        encoding: 'utf8',
      });
    expect(config({ DROVER_TOKEN: 'a-token' })).toMatchObject({ status: 0 });
    expect(config({ DROVER_TOKEN: '' }).status).not.toBe(0);
  });
});

describe('Dockerfile', () => {
  it('copies only what the build context holds', () => {
    const context = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = read('Dockerfile')
      .split('\n')
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(copied.toSorted()).toEqual(context.toSorted());
    for (const path of context) expect(existsSync(`${root}${path}`), path).toBe(true);
  });
});
