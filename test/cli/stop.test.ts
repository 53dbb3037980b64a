/** Stopping: the first signal drains, the second stops at once, and neither leaves a process behind. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  HOLDING,
  isRunning,
  type Place,
  places,
  redisPid,
  type Running,
  until,
} from './support.js';

const place = places();

interface Held {
  readonly here: Place;
  readonly running: Running;
  /** Of the command, of what it started, and of Drover's Redis. */
  readonly pids: readonly number[];
}

async function holding(...command: readonly string[]): Promise<Held> {
  const here = await place();
  const flow = await here.flow(HOLDING);
  const running = here.start(command.map((word) => (word === 'FLOW' ? flow : word)));
  if (command[0] === 'up') {
    await running.says(/Bull Board/);
    expect(await here.drover(['enqueue', flow])).toMatchObject({ code: 0 });
  }
  const pids = [await here.pid('shell.pid'), await here.pid('child.pid'), redisPid(here)!];
  return { here, running, pids: [...pids, running.child.pid!] };
}

async function expectGone(pids: readonly number[]): Promise<void> {
  for (const pid of pids) expect([pid, await isRunning(pid)]).toEqual([pid, false]);
}

interface Status {
  readonly state: string;
  readonly tasks: readonly { state: string; attempts: number; error: string | null }[];
}

async function statusOf(here: Place): Promise<Status> {
  return JSON.parse((await here.drover(['status', 'goal-1', '--json'])).out) as Status;
}

describe.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('the first %s', (signal) => {
  it('lets what runs end and starts nothing more', async () => {
    const { here, running, pids } = await holding('run', 'FLOW');
    running.child.kill(signal);
    await running.says(/lets what runs end/);
    await writeFile(join(here.project, 'go'), '');
    const { code, err } = await running.ended;
    expect(code).toBe(130);
    expect(err).toContain('goal-1 goes on with the next `drover up`');
    await expectGone(pids);
    const { state, tasks } = await statusOf(here);
    expect({ state, first: tasks[0]!.state }).toEqual({ state: 'OPEN', first: 'DONE' });
    expect(tasks[1]).toMatchObject({ attempts: 0 });
  });
});

describe('the second signal', () => {
  it('stops at once, uses no attempt, and the goal goes on at the next start', async () => {
    const { here, running, pids } = await holding('run', 'FLOW');
    running.child.kill('SIGINT');
    await running.says(/lets what runs end/);
    running.child.kill('SIGTERM');
    const { code } = await running.ended;
    expect(code).toBe(130);
    await expectGone(pids);
    expect((await statusOf(here)).tasks[0]).toMatchObject({ state: 'PENDING', attempts: 0 });
    await writeFile(join(here.project, 'go'), '');
    const up = here.start(['up', '--port', '0']);
    await up.says(/Goes on with 1 open goal/);
    const { out } = await here.drover(['logs', 'goal-1', '--json']);
    expect(out).not.toContain('attempt.failed');
    up.child.kill('SIGTERM');
    expect(await up.ended).toMatchObject({ code: 0 });
  });

  it('is not the same Ctrl-C, delivered twice', async () => {
    const { here, running } = await holding('run', 'FLOW');
    running.child.kill('SIGINT');
    running.child.kill('SIGINT');
    await running.says(/lets what runs end/);
    await writeFile(join(here.project, 'go'), '');
    expect(await running.ended).toMatchObject({
      code: 130,
      err: expect.stringContaining('What ran was let to its end'),
    });
  });

  it('stops a supervisor at once, too', async () => {
    const { running, pids } = await holding('up', '--port', '0');
    running.child.kill('SIGTERM');
    await running.says(/lets what runs end/);
    running.child.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 130 });
    await expectGone(pids);
  });
});

describe('a signal while it starts', () => {
  it.each([[['SIGINT']], [['SIGINT', 'SIGTERM']]] as const)(
    'leaves nothing behind: %j',
    async (signals) => {
      const here = await place();
      const running = here.start(['up', '--port', '0']);
      // As soon as there is a child to leave behind.
      await until(() => redisPid(here) !== undefined);
      for (const signal of signals) running.child.kill(signal);
      expect((await running.ended).signal).toBeNull();
      await expectGone([redisPid(here) ?? 0]);
      expect(await here.drover(['status', '--json'])).toMatchObject({ code: 0 });
    },
  );
});

describe('an agent', () => {
  it('drains, and the goal goes on elsewhere when it is stopped at once', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0', '--agents', 'tester']);
    await up.says(/Bull Board/);
    const agent = here.start(['agent', 'shell', '--json']);
    await agent.says(/"ready"/);
    const flow = await here.flow(HOLDING);
    expect(await here.drover(['enqueue', flow])).toMatchObject({ code: 0 });
    const pids = [await here.pid('shell.pid'), await here.pid('child.pid')];
    agent.child.kill('SIGINT');
    await agent.says(/lets what runs end/);
    agent.child.kill('SIGTERM');
    const { code, out } = await agent.ended;
    expect(code).toBe(130);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { event: string }).event),
    ).toEqual(['ready', 'stopped']);
    await expectGone(pids);
    await writeFile(join(here.project, 'go'), '');
    const other = here.start(['agent', 'shell']);
    expect(await here.drover(['enqueue', flow, '--wait'])).toMatchObject({ code: 0 });
    other.child.kill('SIGTERM');
    expect(await other.ended).toMatchObject({ code: 0 });
    up.child.kill('SIGTERM');
    await up.ended;
  });
});
