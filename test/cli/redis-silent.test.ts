/** A Redis that keeps its connections and does not answer is told by whoever works with it, and so is that it does again. */
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createDrover } from '../../src/index.js';
import { startRedisServer } from '../../src/queues/redis-server.js';
import { HOLDING, places, redisPid } from './support.js';

const place = places();
const SILENT = /drover: Redis at .*redis\.sock has not answered for 5 s; everything goes on/;
const AGAIN = /drover: Redis answers again; everything goes on/;

/** A supervisor without agents, and an agent in a process of its own. */
async function workOn(here: Awaited<ReturnType<typeof place>>) {
  const up = here.start(['up', '--port', '0', '--agents', 'nothing']);
  await up.says(/Bull Board/);
  const agent = here.start(['agent', 'shell']);
  await agent.says(/Offers shell/);
  return { up, agent };
}

it('is told by supervisors, agents and runs, which go on by themselves', async () => {
  const here = await place();
  const { up, agent } = await workOn(here);
  const run = here.start(['run', await here.flow(HOLDING)]);
  await here.pid('shell.pid');
  const all = [up, agent, run];
  const redis = redisPid(here)!;
  process.kill(redis, 'SIGSTOP');
  await Promise.all(all.map(({ says }) => says(SILENT)));
  // Whoever asks is told as well.
  expect((await here.drover(['status', 'goal-1'])).out).toMatch(/Redis .*does not answer/);
  expect((await here.drover(['inbox'])).out).toMatch(/Nothing begins .* before Redis answers/);
  await here.flow('', 'projects/default/go');
  process.kill(redis, 'SIGCONT');
  await Promise.all(all.map(({ says }) => says(AGAIN)));
  expect(await run.ended).toMatchObject({ code: 0 });
  for (const { child, ended } of [agent, up]) {
    child.kill('SIGTERM');
    const { code, err } = await ended;
    expect(code).toBe(0);
    expect(err.match(new RegExp(SILENT, 'g'))).toHaveLength(1);
    expect(err.match(new RegExp(AGAIN, 'g'))).toHaveLength(1);
  }
});

it('is not what a process takes it for that stood still itself', async () => {
  const here = await place();
  const { up, agent } = await workOn(here);
  const redis = redisPid(here)!;
  process.kill(redis, 'SIGSTOP');
  // It has asked by then, and stands still with its question open, for longer than Redis may be silent.
  await delay(1_500);
  agent.child.kill('SIGSTOP');
  process.kill(redis, 'SIGCONT');
  await delay(8_000);
  agent.child.kill('SIGCONT');
  const flow = await here.flow('name: Ends\ntasks:\n  only: { run: "sleep 2" }\n');
  expect(await here.drover(['enqueue', flow, '--wait'])).toMatchObject({ code: 0 });
  for (const { child, ended } of [agent, up]) {
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, err: expect.not.stringContaining('answer') });
  }
});

it('is not said of a Redis that only a program of the user knows', async () => {
  const here = await place();
  const server = await startRedisServer({ dir: join(here.dir, 'other') });
  const drover = await createDrover({
    dataDir: here.data,
    projectsDir: null,
    redis: server.connection,
  });
  await drover.enqueue({ title: 'Waits', tasks: [{ name: 'a', capability: 'nobody' }] });
  const { out } = await here.drover(['status', 'goal-1', '--json']);
  expect(JSON.parse(out)).toMatchObject({ state: 'OPEN', troubles: [] });
  expect((await here.drover(['inbox'])).out).not.toContain('Redis');
  await drover.close();
  await server.stop();
});
