/** Commands on a data directory that no supervisor holds: recorded now, carried out by the next one. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAILING, GOOD, type Place, places, taskStates, until } from './support.js';

const place = places();

/** Runs a supervisor until a goal's last task is done. */
async function upUntilDone(here: Place, goal: string): Promise<void> {
  const up = here.start(['up', '--port', '0']);
  await up.says(/Bull Board/);
  await until(() => taskStates(here, goal).at(-1) === 'DONE');
  up.child.kill('SIGTERM');
  expect(await up.ended).toMatchObject({ code: 0 });
}

/** A plan whose first task wants an agent that `drover up` does not offer unless told to. */
const PAINTED = `name: Painted
tasks:
  wall: { capability: painter, run: 'true' }
  look: { needs: wall, run: 'true' }
`;

describe('without a supervisor', () => {
  it('a goal is recorded once a key, shown, and done after the next start', async () => {
    const here = await place();
    const args = ['enqueue', await here.flow(GOOD), '--key', 'once'];
    const first = await here.drover(args);
    expect(first).toMatchObject({ code: 0 });
    expect(first.out).toMatch(/goal-1 is enqueued: 2 tasks[^]*next `drover up`/);
    const again = JSON.parse((await here.drover([...args, '--json'])).out) as object;
    expect(again).toMatchObject({ goal: 'goal-1', created: false, live: false });
    expect(taskStates(here, 'goal-1')).toEqual(['PENDING', 'BACKLOG']);
    expect((await here.drover(['status', 'goal-1'])).out).toContain('no supervisor runs');
    expect((await here.drover(['logs', 'goal-1'])).out).toContain('planned 2 tasks');
    await upUntilDone(here, 'goal-1');
  });

  it('limits are recorded with their reason, shown and taken away; what makes no sense is refused', async () => {
    const here = await place();
    await here.drover(['enqueue', await here.flow(GOOD)]);
    const set = ['limit', 'capability', 'shell', '--concurrency', '2', '--rate', '10/m'];
    expect(await here.drover([...set, '--why', 'small machine'])).toMatchObject({ code: 0 });
    const shown = JSON.parse((await here.drover(['limit', '--json'])).out) as object;
    expect(shown).toEqual({
      limits: [
        { scope: 'capability', name: 'shell', concurrency: 2, rate: { max: 10, per: 60_000 } },
      ],
    });
    expect((await here.drover(['logs'])).out).toContain(
      '2 at a time, 10 in 1 m 00 s: small machine',
    );
    for (const [wrong, said] of [
      [['project'], 'not said which project'],
      [['project', 'shop'], '--none to take it away'],
      [['project', 'shop', '--rate', '1/m'], 'A project has no rate'],
      [['planet'], '‘planet’ is neither capability nor project'],
      [['planet', 'x', '--none'], '‘planet’ is neither capability nor project'],
      [['project', 'shop', '--concurrency', '0'], 'a whole number from 1'],
    ] as const) {
      const refused = { code: 2, err: expect.stringContaining(said) as string };
      expect(await here.drover(['limit', ...wrong])).toMatchObject(refused);
    }
    // What is not named stays as it is.
    const fewer = await here.drover(['limit', 'capability', 'shell', '--concurrency', '3']);
    expect(fewer.out).toContain('3 at a time, 10 in 1 m 00 s');
    const free = await here.drover(['limit', 'capability', 'shell', '--rate', 'none']);
    expect(free.out).toContain('shell: 3 at a time\n');
    expect(await here.drover(['limit', 'capability', 'shell', '--none'])).toMatchObject({
      code: 0,
    });
    expect((await here.drover(['limit'])).out).toContain('There are no limits.');
  });

  it('a task that is cancelled is told with what it takes along', async () => {
    const here = await place();
    await here.drover(['enqueue', await here.flow(GOOD)]);
    const { out } = await here.drover(['cancel', 'task-1', '--why', 'enough']);
    expect(out).toMatch(/^task-1 is cancelled, and with it task-2\./);
    expect(taskStates(here, 'goal-1')).toEqual(['CANCELLED', 'CANCELLED']);
    const logs = async (id: string) => (await here.drover(['logs', id])).out;
    expect(await logs('task-2')).toMatch(/^[^\n]*task-1, task-2 cancelled: enough[^\n]*\n$/);
    await here.drover(['enqueue', await here.flow(GOOD)]);
    expect((await here.drover(['cancel', 'task-3', '--only'])).out).toMatch(
      /^task-3 is cancelled\./,
    );
  });

  it('a goal that is cancelled never begins', async () => {
    const here = await place();
    const flow = await here.flow(GOOD.replace('echo one', 'touch ran'));
    for (let count = 0; count < 2; count += 1) await here.drover(['enqueue', flow]);
    expect(await here.drover(['cancel', 'goal-1'])).toMatchObject({ code: 0 });
    expect(await here.drover(['cancel', 'goal-1'])).toMatchObject({ code: 2 });
    await upUntilDone(here, 'goal-2');
    expect(taskStates(here, 'goal-1')).toEqual(['CANCELLED', 'CANCELLED']);
    expect((await here.drover(['logs', 'task-1', '--json'])).out).toBe('');
  });

  it('jobs of a goal that Redis holds already do not begin either once it is cancelled', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0', '--agents', 'developer']);
    await up.says(/Bull Board/);
    await here.drover(['enqueue', await here.flow(GOOD)]);
    up.child.kill('SIGTERM');
    await up.ended;
    expect(await here.drover(['cancel', 'goal-1'])).toMatchObject({ code: 0 });
    await here.drover(['enqueue', await here.flow(GOOD)]);
    await upUntilDone(here, 'goal-2');
    const { out } = await here.drover(['logs', 'goal-1', '--json']);
    expect(out).not.toContain('task.active');
    expect(out).toContain('goal.evicted');
  });

  it('a failed task is retried by the next supervisor', async () => {
    const here = await place();
    expect(await here.drover(['run', await here.flow(FAILING)])).toMatchObject({ code: 3 });
    await writeFile(join(here.project, 'mended'), '');
    const { code, out } = await here.drover(['retry', 'task-2', '--why', 'mended']);
    expect(code).toBe(0);
    expect(out).toContain('next `drover up`');
    await upUntilDone(here, 'goal-1');
    expect((await here.drover(['logs', 'task-2'])).out).toContain('retried by a person: mended');
  });

  it('ids are refused that are none, or that nobody has', async () => {
    const here = await place();
    await here.drover(['enqueue', await here.flow(GOOD)]);
    const refused = async (...args: string[]): Promise<string> => {
      const { code, err } = await here.drover(args);
      expect(code).toBe(2);
      return err;
    };
    expect(await refused('cancel', '7')).toContain('is no goal and no task');
    expect(await refused('cancel', 'goal-7')).toContain('There is no goal-7');
    expect(await refused('retry', 'goal-1')).toBe(
      'drover: ‘goal-1’ is no task.\nWrite an id such as task-123; `drover status GOAL` lists the tasks of a goal.\n',
    );
    expect(await refused('signal', 'task-1', 'go')).toContain('‘task-1’ is no goal.\nWrite an id');
    expect(await refused('approve', 'x')).toContain('‘x’ is no goal and no task.\nWrite an id');
    expect(await refused('retry', 'task-1')).toContain('only a failed task can be retried');
    expect(await refused('status', '../x')).toContain('is no goal and no task');
    expect(await refused('logs', 'task-99')).toContain('There is no task-99');
  });

  it('changes are refused that say nothing, or what no task can have', async () => {
    const here = await place();
    await here.drover(['enqueue', await here.flow(GOOD)]);
    const refused = async (...options: string[]): Promise<string> => {
      const { code, err } = await here.drover(['edit', 'task-2', ...options]);
      expect(code).toBe(2);
      return err;
    };
    expect(await refused()).toBe(
      'drover: Nothing is named that changes about task-2.\nName it with --title, --run, --with, --retry or --priority.\n',
    );
    const retry = (text: string) => refused('--retry', text);
    expect(await retry('often')).toContain(
      '--retry cannot be used: it must be a map, not `often`.',
    );
    expect(await retry('{attempts: ')).toMatch(/must end with a } at line 1, column \d+\.\n/);
    expect(await retry('{attempts: 0}')).toContain('attempts must be at least 1.');
    expect(await retry('{backoff: {delay: soon}}')).toContain(
      '--retry cannot be used: backoff.delay',
    );
    expect(await refused('--with', '[1]')).toContain(
      '--with cannot be used: it must be a map, not a list.',
    );
    expect(await refused('--with', '{"a": 1}')).toContain(
      'task-2 is a shell command, which reads no input.\nChange its command (--run).',
    );
  });

  it('a data directory that cannot be made is told at once', async () => {
    const here = await place();
    const flow = await here.flow(GOOD);
    const data = process.platform === 'linux' ? '/proc/drover' : '/dev/null/drover';
    for (const args of [
      ['enqueue', flow],
      ['run', flow],
      ['up'],
      ['up', '--detach'],
      ['schedule', 'add', '0 2 * * *', flow],
    ]) {
      const { code, err } = await here.drover([...args, '--data', data]);
      expect(code).toBe(5);
      expect(err).toMatch(new RegExp(`The data directory ${data} cannot be made: .*--data`, 's'));
    }
    const file = await here.drover(['enqueue', flow, '--data', flow]);
    expect(file.err).toContain('cannot be made: it is a file');
  });

  it('names the agents that the next supervisor will not offer by itself', async () => {
    const here = await place();
    const flow = await here.flow(PAINTED);
    const needs = 'Needs agents for painter, which `drover up` does not offer by itself';
    expect((await here.drover(['enqueue', flow])).out).toContain(needs);
    const inbox = JSON.parse((await here.drover(['inbox', '--json'])).out) as { items: object[] };
    const reason = '`drover up` does not offer painter by itself';
    expect(inbox.items).toMatchObject([{ kind: 'no-agent', id: 'task-1', reason }]);
    const { out } = await here.drover(['enqueue', flow, '--json']);
    // Who is there, nobody can tell.
    expect(JSON.parse(out)).toMatchObject({ waitingFor: null, live: false });
    expect((await here.drover(['status', 'goal-1'])).out).toContain(needs);
    expect((await here.drover(['status'])).out).toContain(needs);
    await here.drover(['enqueue', await here.flow(GOOD)]);
    expect((await here.drover(['status', 'goal-3'])).out).not.toContain('Needs agents');
  });

  it('nobody waits for what nobody does', async () => {
    const here = await place();
    const { code, err } = await here.drover(['enqueue', await here.flow(GOOD), '--wait']);
    expect(code).toBe(5);
    expect(err).toContain('drover run');
    expect((await here.drover(['goals'])).err).toContain('There is no log');
    // Neither where there is no folder, nor where there is a log without a supervisor's Redis.
    const refused = { code: 5, err: expect.stringContaining('`drover up`') };
    expect(await here.drover(['agent', 'tester'])).toMatchObject(refused);
    await here.drover(['enqueue', await here.flow(GOOD)]);
    const agent = await here.drover(['agent', 'tester']);
    expect(agent).toMatchObject({ code: 5, err: expect.stringContaining('No supervisor runs') });
    expect(agent.err).toContain('`drover up`');
  });

  it('the overview says once that no supervisor runs', async () => {
    const here = await place();
    await here.drover(['enqueue', await here.flow(GOOD)]);
    expect((await here.drover(['status'])).out.match(/supervisor/g)).toHaveLength(1);
    expect((await here.drover(['status', 'goal-1'])).out).toContain('no supervisor runs');
  });
});
