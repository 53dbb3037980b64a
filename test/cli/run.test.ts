/** `drover run`: how each outcome is told, and that a supervisor that runs already is used. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAILING, GOOD, HOLDING, isRunning, places, redisPid, until } from './support.js';

const place = places();

interface Report {
  readonly goal: string;
  readonly state: string;
  readonly project: string;
  readonly interrupted: boolean;
  readonly tasks: readonly { name: string; state: string; result: unknown; blockedBy: string[] }[];
}

describe('drover run', () => {
  it('runs a flow to its end, reports, and leaves nothing running', async () => {
    const here = await place();
    const running = here.start(['run', await here.flow(GOOD)]);
    await running.says(/first: started/);
    const redis = redisPid(here)!;
    const { code, out } = await running.ended;
    expect(code).toBe(0);
    expect(out).toMatch(/task-1 first: done\n[^]*task-2 second: done\n/);
    expect(out).toMatch(/^Done! 2\/2 tasks complete in /m);
    expect(out).toContain('Try next:');
    expect(out).toContain(`status goal-1`);
    expect(await isRunning(redis)).toBe(false);
    expect(existsSync(join(here.data, 'supervisor.json'))).toBe(false);
  });

  it('lands what lands without being asked, before it ends', async () => {
    const here = await place();
    const flow = 'name: Lands\nproject: shop\ntasks: { a: { run: echo a > a } }\n';
    expect(await here.drover(['run', await here.flow(flow)])).toMatchObject({ code: 0 });
    expect((await here.drover(['graph', 'goal-1'])).out).toContain(', landed as ');
  });

  it('names commands to try next that find what it used', async () => {
    const here = await place();
    const flow = await here.flow('name: Try\nproject: shop\ntasks: { a: { run: echo a > a } }\n');
    const elsewhere = ['--data', join(here.dir, 'log'), '--projects', join(here.dir, 'work')];
    const { out } = await here.drover(['run', flow, ...elsewhere, '--prefix', 'mine']);
    const steps = [...out.matchAll(/^ {2}npx drover (.+?) {2}/gm)].map(([, words]) => words!);
    for (const step of steps.filter((words) => !words.startsWith('up'))) {
      expect(await here.drover(step.split(' ')), step).toMatchObject({ code: 0 });
    }
    expect(steps).toContainEqual(
      expect.stringMatching(/^graph goal-1 --data log --projects work$/),
    );
    expect(steps).toContainEqual('up --data log --projects work --prefix mine');
  });

  it('says what it waits for, and how to answer, where there is no terminal', async () => {
    const here = await place();
    const flow =
      'name: Asks\napprove: before\ntasks: { a: { run: echo a, wait: { signal: go } } }\n';
    const running = here.start(['run', await here.flow(flow)]);
    await running.says(/goal-1: waits for approval of the plan; `drover approve goal-1`/);
    await running.says(/task-1 a: waits for signal go; `drover signal goal-1 go`/);
    expect(await here.drover(['approve', 'goal-1'])).toMatchObject({ code: 0 });
    expect(await here.drover(['signal', 'goal-1', 'go'])).toMatchObject({ code: 0 });
    expect(await running.ended).toMatchObject({ code: 0 });
  });

  it('says in JSON what became of it, and nothing else', async () => {
    const here = await place();
    const flow = await here.flow(GOOD);
    const args = ['run', flow, '--project', 'other', '--key', 'once', '--json'];
    const { code, out } = await here.drover(args);
    expect(code).toBe(0);
    const report = JSON.parse(out) as Report;
    expect(report).toMatchObject({ goal: 'goal-1', state: 'DONE', project: 'other' });
    expect(report.tasks.map(({ name, result }) => [name, result])).toEqual([
      ['first', 'one'],
      ['second', { x: 1 }],
    ]);
    // The same key is the same goal.
    expect(JSON.parse((await here.drover(args)).out)).toMatchObject({ goal: 'goal-1' });
  });

  it('exits with 3 where tasks failed, and names them, what they block and what helps', async () => {
    const here = await place();
    const { code, out } = await here.drover(['run', await here.flow(FAILING)]);
    expect(code).toBe(3);
    expect(out).toContain('Stuck: 1/3 tasks complete, 1 failed, 1 blocked');
    expect(out).toMatch(/✗ task-2 broken: .*status 3: no such luck/);
    expect(out).toContain('⊘ task-3 after: blocked by broken');
    expect(out).toContain('retry task-2');
    const status = await here.drover(['status', 'goal-1', '--json']);
    expect(JSON.parse(status.out)).toMatchObject({
      state: 'SETTLED',
      supervisor: null,
      tasks: [{}, { state: 'FAILED' }, { state: 'BACKLOG', blockedBy: ['task-2'] }],
    });
    const overview = JSON.parse((await here.drover(['status', '--json'])).out) as object;
    expect(overview).toMatchObject({
      goals: [{ goal: 'goal-1' }],
      attention: [{ goal: 'goal-1', task: 'task-2', name: 'broken' }],
    });
  });

  it('exits with 4 where the goal is cancelled from outside, and ends what ran', async () => {
    const here = await place();
    const running = here.start(['run', await here.flow(HOLDING)]);
    const shell = await here.pid('shell.pid');
    const child = await here.pid('child.pid');
    const cancel = await here.drover(['cancel', 'goal-1', '--why', 'enough', '--json']);
    expect(JSON.parse(cancel.out)).toEqual({ cancelled: 'goal-1', live: true, told: true });
    const { code, out } = await running.ended;
    expect(code).toBe(4);
    expect(out).toContain('cancelled: enough');
    for (const pid of [shell, child]) expect(await isRunning(pid)).toBe(false);
  });

  it('exits with 2 for a flow that cannot run, naming every problem, and starts nothing', async () => {
    const here = await place();
    const flow = await here.flow('name: x\ntasks:\n  a: { run: x, needs: b, tiemout: 3s }\n');
    const { code, err } = await here.drover(['run', flow]);
    expect(code).toBe(2);
    expect(err).toMatch(/flow\.yaml:3:\d+: .*`b`/);
    expect(err).toMatch(/Did you mean `timeout`/);
    expect(existsSync(here.data)).toBe(false);
    const { out } = await here.drover(['run', flow, '--json']);
    expect(JSON.parse(out)).toMatchObject({
      error: { code: 'bad-plan', problems: [{ line: 3 }, { line: 3 }] },
    });
  });

  it('exits with 5 where Redis cannot be reached, and says how to start one', async () => {
    const here = await place();
    const flow = await here.flow(GOOD);
    const { code, err } = await here.drover(['run', flow, '--redis', 'redis://127.0.0.1:1']);
    expect(code).toBe(5);
    expect(err).toMatch(/Redis at 127\.0\.0\.1:1 .*ECONNREFUSED[^]*redis-server/);
  });

  it('exits with 5 where the data directory cannot be written', async () => {
    const here = await place();
    await writeFile(here.data, 'a file where a folder belongs');
    const { code, err } = await here.drover(['run', await here.flow(GOOD)]);
    expect(code).toBe(5);
    expect(err).toContain('--data');
  });

  it('goes on to the end when nobody reads its output any more', async () => {
    const here = await place();
    const running = here.start(['run', await here.flow(HOLDING)]);
    await here.pid('shell.pid');
    running.child.stdout!.destroy();
    await writeFile(join(here.project, 'go'), '');
    expect(await running.ended).toMatchObject({ code: 0 });
  });

  it('uses a supervisor that runs already, and offers what nobody else does', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0', '--agents', 'shell']);
    await up.says(/Bull Board/);
    const flow = await here.flow(
      GOOD.replace('run: echo one', 'run: echo one, capability: tester'),
    );
    const { code, out } = await here.drover(['run', flow]);
    expect(out).toContain('A supervisor runs already');
    expect(out).toContain('Nobody offered tester');
    expect(out).toMatch(/^Done! 2\/2/m);
    expect(code).toBe(0);
    up.child.kill('SIGTERM');
    expect(await up.ended).toMatchObject({ code: 0 });
    await until(() => !existsSync(join(here.data, 'writer.json')));
  });
});
