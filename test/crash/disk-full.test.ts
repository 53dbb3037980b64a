/** A full disk: nothing acknowledged is lost, the reason is shown, and it goes on when there is room. */
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { connectDrover, type DroverClient } from '../../src/index.js';
import { places } from '../cli/support.js';
import { emptyDisk, fillDisk, smallDisks } from '../support/small-disk.js';
import { judge, PLANS } from './oracle.js';
import { type Child, PREFIX, QUICK, type Scene, stage, until } from './support.js';

const set = stage();
const commandLine = places();
const mountSmall = smallDisks();
const clients: DroverClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
async function throughAFullDisk(
  scene: Scene,
  supervisor: Child,
  fill: () => Promise<void> | void,
  free: () => Promise<void> | void,
): Promise<void> {
  const plan = PLANS.chain(8, { ms: 50 });
  const { ok } = await supervisor.ask('enqueue', { title: 'Acknowledged', tasks: plan });
  expect(ok).toEqual({ goal: 'goal-1', created: true });
  await fill();
  const refused = await supervisor.ask('enqueue', {
    title: 'x'.repeat(400),
    tasks: PLANS.chain(40),
  });
  expect(refused).toMatchObject({ failed: 'log-unwritable' });
  expect(refused.message).toMatch(/SQLITE_(FULL|IOERR)/);
  expect(refused.remedy).toContain('Make room');
  const agent = await scene.agent({ timing: QUICK });
  await supervisor.line(({ trouble }) => trouble?.includes('cannot be written') ?? false);
  // Redis keeps what happens meanwhile, and the work goes on.
  await until(() => {
    const returned = scene.traces().filter(({ what }) => what === 'returning');
    return new Set(returned.map(({ task }) => task)).size === 8;
  });
  expect(supervisor.lines.filter(({ ended }) => ended === 'goal-1')).toEqual([]);
  await free();
  await supervisor.line(({ ended }) => ended === 'goal-1');
  await supervisor.line(({ trouble }) => trouble === null);
  // Once, however often it was tried.
  const troubles = supervisor.lines.flatMap(({ trouble }) =>
    trouble === undefined ? [] : trouble,
  );
  expect(troubles.filter((trouble, index) => trouble === troubles[index - 1])).toEqual([]);
  const again = await supervisor.ask('enqueue', { title: 'With room', tasks: PLANS.chain(2) });
  expect(again).toMatchObject({ ok: { goal: 'goal-2', created: true } });
  await supervisor.line(({ ended }) => ended === 'goal-2');
  await agent.kill();
  await supervisor.end();
  await judge(
    scene,
    new Map([
      ['goal-1', plan],
      ['goal-2', PLANS.chain(2)],
    ]),
  );
}

it('SQLite says that its file is full', async () => {
  const scene = await set();
  const supervisor = await scene.supervisor({ timing: QUICK });
  await throughAFullDisk(
    scene,
    supervisor,
    async () => void (await supervisor.ask('limitPages', 1)),
    async () => void (await supervisor.ask('limitPages', 1_000_000_000)),
  );
});

it('the file system of the log is full', async (context) => {
  const scene = await set();
  const small = mountSmall(join(scene.dir, 'small'), 4 * 1024 * 1024);
  if (small === undefined) {
    context.skip('mounting a small file system needs root');
    return;
  }
  const supervisor = await scene.supervisor({ timing: QUICK, dataDir: small });
  await throughAFullDisk(
    { ...scene, dataDir: small },
    supervisor,
    () => fillDisk(small),
    () => emptyDisk(small),
  );
});

it('a start that has events to record, and no room for them, says so', async (context) => {
  const scene = await set();
  const small = mountSmall(join(scene.dir, 'small'), 4 * 1024 * 1024);
  if (small === undefined) {
    context.skip('mounting a small file system needs root');
    return;
  }
  const settings = { timing: QUICK, dataDir: small };
  const plan = PLANS.chain(8, { ms: 50 });
  const supervisor = await scene.supervisor(settings);
  await supervisor.ask('enqueue', { title: 'Acknowledged', tasks: plan });
  fillDisk(small);
  const agent = await scene.agent({ timing: QUICK });
  await until(() => scene.traces().some(({ what }) => what === 'returning'));
  await supervisor.kill();
  const late = await scene.supervisor(settings);
  const answer = late.lines.find(({ refused }) => refused !== undefined);
  expect(answer).toMatchObject({ refused: 'log-unwritable' });
  await late.kill();
  emptyDisk(small);
  const next = await scene.supervisor(settings);
  await next.ask('follow', 'goal-1');
  await next.line(({ ended }) => ended === 'goal-1');
  await agent.kill();
  await next.end();
  await judge({ ...scene, dataDir: small }, new Map([['goal-1', plan]]));
});

it('whoever asks from elsewhere is told why nothing is carried out, and it is once there is room', async () => {
  const scene = await set();
  const supervisor = await scene.supervisor({ timing: QUICK });
  await supervisor.ask('enqueue', { title: 'Acknowledged', tasks: PLANS.chain(1) });
  await supervisor.ask('limitPages', 1);
  const redis = { path: scene.redis.socket };
  const client = await connectDrover({ redis, prefix: PREFIX, dataDir: join(scene.dir, 'client') });
  clients.push(client);
  const goal = { title: 'x'.repeat(400), tasks: [...PLANS.chain(40)] };
  const refused = await client.enqueue(goal, { timeout: 3_000 }).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: 'log-unwritable',
    message: expect.stringMatching(
      /cannot be written: .*SQLITE_FULL.* The command ‘enqueue’ stays in its queue/,
    ),
    remedy: expect.stringContaining('Make room'),
  });
  // Nothing else happens by which the supervisor could have noticed.
  const { trouble } = await supervisor.line((line) => line.trouble != null);
  expect(trouble).toContain('SQLITE_FULL');

  const here = await commandLine();
  const options = ['--data', scene.dataDir, '--redis', scene.redis.socket, '--prefix', PREFIX];
  const tasks = PLANS.chain(40).map(({ name }) => `  ${name}: { run: "true ${'y'.repeat(400)}" }`);
  const flow = await here.flow(`name: Large\ntasks:\n${tasks.join('\n')}\n`);
  const { code, err } = await here.drover(['enqueue', flow, ...options]);
  expect(code).toBe(5);
  expect(err).toMatch(/SQLITE_FULL.*stays in its queue.*\n.*Make room/);
  expect((await here.drover(['status', ...options])).out).toContain('SQLITE_FULL');
  expect((await here.drover(['inbox', ...options])).out).toMatch(
    /Nothing is recorded; agents go on with what they have: .*SQLITE_FULL/,
  );

  await supervisor.ask('limitPages', 1_000_000_000);
  await supervisor.line((line) => line.trouble === null);
  await until(async () => {
    const { out } = await here.drover(['goals', '--json', ...options]);
    return JSON.parse(out).goals.length === 3;
  });
});
