/**
 * Agents that go on without a supervisor, in processes of their own, hear of what is asked meanwhile; what comes of it
 * is sound by `drover audit` once a supervisor runs again.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { reachAgents } from '../../src/engine/telling.js';
import { testBed } from '../support/redis.js';
import {
  GOOD,
  HOLDING,
  isRunning,
  type Place,
  places,
  type Running,
  taskStates,
  until,
} from './support.js';

const place = places();
const bed = testBed();

/** A supervisor that offers nothing, an agent beside it, and a goal whose first task runs. */
async function holding(here: Place, redis: readonly string[] = []): Promise<Running> {
  const up = await start(here, redis);
  const agent = here.start(['agent', 'shell', ...redis]);
  await agent.says(/Offers shell/);
  const { code } = await here.drover(['enqueue', await here.flow(HOLDING + AFTERWARDS), ...redis]);
  expect(code).toBe(0);
  await here.pid('shell.pid');
  // Recorded, so that the log knows what runs.
  await until(() => taskStates(here, 'goal-1')[0] === 'ACTIVE');
  return up;
}

/** Says that the task behind `after` has run. */
const AFTERWARDS = `  last: { run: "touch @/ran", needs: after }\n`;

async function start(here: Place, redis: readonly string[]): Promise<Running> {
  const up = here.start(['up', '--port', '0', '--agents', 'nothing', ...redis]);
  await up.says(/Bull Board/);
  return up;
}

async function kill({ child, ended }: Running): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}

async function gone(here: Place): Promise<void> {
  for (const file of ['shell.pid', 'child.pid']) {
    const pid = await here.pid(file);
    await until(async () => !(await isRunning(pid)));
  }
}

async function expectSound(here: Place, redis: readonly string[] = []): Promise<void> {
  await until(async () => (await here.drover(['audit', ...redis])).code === 0);
}

describe('where the supervisor was killed', () => {
  it.each([
    [
      ['cancel', 'goal-1'],
      ['CANCELLED', 'CANCELLED', 'CANCELLED'],
    ],
    [
      ['cancel', 'task-1'],
      ['CANCELLED', 'CANCELLED', 'CANCELLED'],
    ],
    [
      ['cancel', 'task-1', '--only', '--skip'],
      ['CANCELLED', 'DONE', 'DONE'],
    ],
    [
      ['cancel', 'task-1', '--only'],
      ['CANCELLED', 'BACKLOG', 'BACKLOG'],
    ],
  ])('%j aborts what runs, and its processes are gone', async (args, states) => {
    const here = await place();
    await kill(await holding(here));
    const { code, out } = await here.drover(args);
    expect(code).toBe(0);
    expect(out).toContain('running agents have been told');
    await gone(here);
    await start(here, []);
    await until(() => String(taskStates(here, 'goal-1')) === String(states));
    await expectSound(here);
    expect(existsSync(join(here.project, 'ran'))).toBe(states.includes('DONE'));
  });
});

describe('where the supervisor was stopped, and the agents’ Redis is named', () => {
  it('are counted where a goal is enqueued, or looked at, after the supervisor was killed', async () => {
    const here = await place();
    const up = await start(here, []);
    const agent = here.start(['agent', 'painter']);
    await agent.says(/Offers painter/);
    await kill(up);
    const flow = await here.flow(`name: Painted
tasks:
  wall: { capability: painter, run: 'true' }
  floor: { capability: tiler, run: 'true' }
`);
    const { out } = await here.drover(['enqueue', flow, '--json']);
    expect(JSON.parse(out)).toMatchObject({ waitingFor: ['tiler'], live: false });
    const needs = 'Needs agents for tiler, which';
    expect((await here.drover(['enqueue', flow])).out).toContain(needs);
    expect((await here.drover(['status', 'goal-1'])).out).toContain(needs);
    const inbox = JSON.parse((await here.drover(['inbox', '--json'])).out) as { items: object[] };
    expect(inbox.items).toMatchObject([
      { kind: 'no-agent', reason: 'nobody offers tiler' },
      { kind: 'no-agent', reason: 'nobody offers tiler' },
    ]);
  });

  it('a pause holds what comes next, and it goes on when it is resumed', async () => {
    const here = await place();
    const socket = bed.redis().connection.path;
    const redis = ['--redis', socket, '--prefix', 'paused'];
    const up = await holding(here, redis);
    expect(await here.drover(['down'])).toMatchObject({ code: 0 });
    await up.ended;
    const paused = await here.drover(['pause', 'goal-1', ...redis, '--json']);
    expect(JSON.parse(paused.out)).toMatchObject({ live: false, told: true });
    await writeFile(join(here.project, 'go'), '');
    const client = new Redis(socket);
    await until(async () => (await client.hexists('paused:held', 'paused:goal-1')) === 1);
    client.disconnect();
    expect(existsSync(join(here.project, 'ran'))).toBe(false);
    expect((await here.drover(['resume', 'goal-1', ...redis])).out).toContain('have been told');
    await until(() => existsSync(join(here.project, 'ran')));
    await start(here, redis);
    await until(() => String(taskStates(here, 'goal-1')) === 'DONE,DONE,DONE');
    await expectSound(here, redis);
  });

  it('nobody is told by a log that is not theirs, nor where a supervisor runs', async () => {
    const here = await place();
    const { connection } = bed.redis();
    const redis = ['--redis', connection.path, '--prefix', 'foreign'];
    const up = await holding(here, redis);
    expect(await reachAgents(here.data, connection, 'foreign')).toBeUndefined();
    await kill(up);
    const other = join(here.dir, 'other');
    await here.drover(['enqueue', await here.flow(GOOD, 'good.yaml'), '--data', other]);
    expect(await reachAgents(other, connection, 'foreign')).toBeUndefined();
    // It may be meant for a supervisor elsewhere.
    const refused = await here.drover(['cancel', 'goal-1', '--data', other, ...redis]);
    expect(refused).toMatchObject({
      code: 5,
      err: expect.stringMatching(/Nobody has answered[^]*Where none runs, start it/),
    });
    expect(await isRunning(await here.pid('shell.pid'))).toBe(true);
    // The supervisor that was killed has left word of its Redis.
    expect((await here.drover(['cancel', 'goal-1'])).out).toContain('have been told');
    await gone(here);
  });
});
