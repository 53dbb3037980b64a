/** `drover up` and `down`, and what is said to a supervisor that runs. */
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { acquireWriterLock } from '../../src/log/writer-lock.js';
import {
  FAILING,
  GOOD,
  HOLDING,
  isRunning,
  places,
  redisPid,
  type Running,
  supervisorPid,
  taskStates,
  until,
} from './support.js';

const place = places();

async function stop(running: Running): Promise<void> {
  running.child.kill('SIGTERM');
  expect(await running.ended).toMatchObject({ code: 0 });
}

describe('drover up --detach', () => {
  it('runs in the background until `drover down`', async () => {
    const here = await place();
    const up = await here.drover(['up', '--detach', '--port', '0', '--json']);
    expect(up.code).toBe(0);
    const { pid, url, log } = JSON.parse(up.out) as { pid: number; url: string; log: string };
    expect(await isRunning(pid)).toBe(true);
    expect(existsSync(log)).toBe(true);
    const page = await fetch(`${url}/queues`);
    expect([page.status, await page.text()]).toEqual([
      200,
      expect.stringContaining('<title>Drover'),
    ]);

    const second = await here.drover(['up', '--port', '0']);
    expect(second.code).toBe(5);
    expect(second.err).toContain(`process ${pid}`);
    expect(await here.drover(['up', '--detach'])).toMatchObject({ code: 5 });

    const status = await here.drover(['status']);
    expect(status.out).toContain(`process ${pid}`);
    expect(status.out).toContain(`${url}/queues`);

    const redis = redisPid(here)!;
    const down = await here.drover(['down', '--json']);
    expect(JSON.parse(down.out)).toEqual({ stopped: true, pid });
    expect([await isRunning(pid), await isRunning(redis)]).toEqual([false, false]);
    expect(await here.drover(['down'])).toMatchObject({ code: 0 });
    expect(supervisorPid(here)).toBeUndefined();
  });

  it('says in status and inbox what it cannot do, until it can', async () => {
    const here = await place();
    const flow = await here.flow(GOOD);
    expect(await here.drover(['up', '--detach', '--port', '0'])).toMatchObject({ code: 0 });
    expect(await here.drover(['enqueue', flow, '--wait'])).toMatchObject({ code: 0 });
    // Nobody else may be writing there meanwhile.
    expect(await here.drover(['down'])).toMatchObject({ code: 0 });
    const link = join(here.project, 'tasks');
    rmSync(link, { recursive: true });
    // A link in place of the folder of pages is not followed out of the project.
    symlinkSync(here.dir, link);
    expect(await here.drover(['up', '--detach', '--port', '0'])).toMatchObject({ code: 0 });
    expect(await here.drover(['enqueue', flow, '--wait'])).toMatchObject({ code: 0 });
    const standing = async (): Promise<unknown[]> => {
      const { items } = JSON.parse((await here.drover(['inbox', '--json'])).out) as {
        items: { kind: string; id: string }[];
      };
      return items.filter(({ kind, id }) => kind === 'supervisor' && id === 'files');
    };
    await until(async () => (await standing()).length === 1);
    expect((await here.drover(['status'])).out).toMatch(
      /STATE\.yaml of default: .* is no plain folder.*\(for /,
    );
    expect((await here.drover(['inbox'])).out).toMatch(
      /Files of a project are not all written or committed; goals go on: STATE\.yaml of default: /,
    );
    rmSync(link);
    await until(async () => (await standing()).length === 0);
    expect((await here.drover(['status'])).out).not.toContain('STATE.yaml of default');
    expect(await here.drover(['down'])).toMatchObject({ code: 0 });
  });

  it('tells why it could not start', async () => {
    const here = await place();
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { code, err } = await here.drover(['up', '--detach', '--port', `${port}`]);
    taken.close();
    expect(code).toBe(5);
    expect(err).toMatch(/did not start: (?!drover:)[^]*is taken[^]*up\.log/);
  });

  it('stops at once with `down --now`, and lets what runs end without', async () => {
    const here = await place();
    const flow = await here.flow(HOLDING);
    expect(await here.drover(['up', '--detach', '--port', '0'])).toMatchObject({ code: 0 });
    expect(await here.drover(['enqueue', flow])).toMatchObject({ code: 0 });
    const held = [await here.pid('shell.pid'), await here.pid('child.pid'), supervisorPid(here)!];
    expect(await here.drover(['down', '--now'])).toMatchObject({ code: 0 });
    for (const pid of held) expect(await isRunning(pid)).toBe(false);

    expect(await here.drover(['up', '--detach', '--port', '0'])).toMatchObject({ code: 0 });
    // A supervisor with nothing under way would not wait.
    await until(async () => (await here.pid('shell.pid')) !== held[0]);
    const down = here.start(['down']);
    await down.says(/does not wait for them/);
    await writeFile(join(here.project, 'go'), '');
    expect(await down.ended).toMatchObject({ code: 0 });
    expect(taskStates(here, 'goal-1')[0]).toBe('DONE');
  });
});

describe('drover down', () => {
  it('leaves a program alone that is no drover', async () => {
    const here = await place();
    mkdirSync(here.data);
    const lock = acquireWriterLock(here.data);
    try {
      const { code, err } = await here.drover(['down']);
      expect(code).toBe(2);
      expect(err).toContain(`Process ${process.pid} holds`);
    } finally {
      lock.release();
    }
  });
});

describe('beside a supervisor', () => {
  it('a goal is enqueued, waited for, listed and shown', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0']);
    await up.says(/Bull Board/);
    const good = await here.flow(GOOD);
    const waited = await here.drover(['enqueue', good, '--wait', '--json']);
    expect(waited.code).toBe(0);
    expect(JSON.parse(waited.out)).toMatchObject({ goal: 'goal-1', state: 'DONE' });
    const { out } = await here.drover(['goals', '--state', 'done', '--json']);
    expect(JSON.parse(out)).toMatchObject({ goals: [{ id: 'goal-1', state: 'DONE', total: 2 }] });
    expect((await here.drover(['goals', '--state', 'open'])).out).toBe('No goals.\n');
    const { out: task } = await here.drover(['status', 'task-2', '--json']);
    expect(JSON.parse(task)).toMatchObject({
      goal: 'goal-1',
      supervisor: { host: expect.any(String) },
    });
    await stop(up);
  });

  it('a failed task is retried and its goal goes on', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0']);
    await up.says(/Bull Board/);
    expect(await here.drover(['enqueue', await here.flow(FAILING), '--wait'])).toMatchObject({
      code: 3,
    });
    await writeFile(join(here.project, 'mended'), '');
    const retry = await here.drover(['retry', 'task-2', '--json']);
    expect(JSON.parse(retry.out)).toMatchObject({ retried: 'task-2', live: true });
    await until(() => taskStates(here, 'goal-1').at(-1) === 'DONE');
    expect(await here.drover(['retry', 'task-2'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('only a failed task can be retried'),
    });
    expect(await here.drover(['cancel', 'goal-1'])).toMatchObject({ code: 2 });
    expect(await here.drover(['cancel', 'goal-9'])).toMatchObject({ code: 2 });
    await stop(up);
  });

  it('a goal that waits for an agent says so at once and in status', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0', '--agents', 'developer']);
    await up.says(/Bull Board/);
    const flow = await here.flow(GOOD);
    const enqueued = await here.drover(['enqueue', flow]);
    expect(enqueued.out).toMatch(/agents that nobody runs: shell\. .* `drover agent shell`/);
    const status = await here.drover(['status', 'goal-1']);
    expect(status.out).toContain('Waits for agents that nobody runs: shell');
    const agent = here.start(['agent', 'shell']);
    expect(await here.drover(['enqueue', flow, '--wait'])).toMatchObject({ code: 0 });
    await stop(agent);
    await stop(up);
  });

  it('logs are followed as they are written, as JSON Lines', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0']);
    await up.says(/Bull Board/);
    expect(await here.drover(['enqueue', await here.flow(HOLDING)])).toMatchObject({ code: 0 });
    const logs = here.start(['logs', 'goal-1', '--follow', '--json']);
    await logs.says(/task\.active/);
    await writeFile(join(here.project, 'go'), '');
    await logs.says(/goal\.completed/);
    logs.child.kill('SIGINT');
    const { code, out } = await logs.ended;
    expect(code).toBe(130);
    const seqs = out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { seq: number }).seq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    const tail = await here.drover(['logs', 'task-1', '--tail', '2', '--json']);
    expect(
      tail.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([{ task: 'task-1' }, { task: 'task-1', event: { type: 'task.completed' } }]);
    const follow = here.start(['logs', '--follow']);
    await follow.says(/done/);
    follow.child.stdout!.destroy();
    expect(await here.drover(['enqueue', await here.flow(GOOD, 'good.yaml')])).toMatchObject({
      code: 0,
    });
    expect(await follow.ended).toMatchObject({ code: 0 });
    await stop(up);
  });

  it('who waits for a goal hears that its supervisor has gone', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0']);
    await up.says(/Bull Board/);
    const waiting = here.start(['enqueue', await here.flow(HOLDING), '--wait']);
    await here.pid('shell.pid');
    up.child.kill('SIGKILL');
    const { code, err } = await waiting.ended;
    expect(code).toBe(5);
    expect(err).toMatch(/has stopped[^]*drover up/);
    // What the killed one left behind is found, and ended by the next start.
    const orphan = await here.pid('child.pid');
    expect((await here.drover(['doctor'])).out).toMatch(/! orphans .*task-1/);
    expect(await here.drover(['up', '--detach', '--port', '0'])).toMatchObject({ code: 0 });
    expect(await isRunning(orphan)).toBe(false);
    expect(await here.drover(['down', '--now'])).toMatchObject({ code: 0 });
  });
});
