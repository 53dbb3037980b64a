/** Supervisors that die while a schedule fires: every time it was due begins one goal, whenever they die. */
import { expect, it } from 'vitest';
import { loadGoal } from '../../src/projections/board.js';
import { listSchedules } from '../../src/projections/schedules.js';
import { judge, PLANS } from './oracle.js';
import { type CrashPlan, QUICK, reading, type Scene, stage, until } from './support.js';

const set = stage();
const plan = PLANS.chain(1);
const SUBJECT = 'schedule/often';

/** Every second, and none is left out: what was missed is made up for, and waits for its turn. */
const schedule = {
  name: 'often',
  cron: '* * * * * *',
  tz: 'UTC',
  overlap: 'queue',
  catchUp: 'all',
  goal: { title: 'Again', tasks: plan },
};

const firings = (scene: Scene): { due: number | null; goal: string }[] =>
  reading(scene, (log) =>
    [...log.events({ goal: SUBJECT, types: ['schedule.fired'] })].map(
      ({ event }) => event as Extract<typeof event, { type: 'schedule.fired' }>,
    ),
  );

const isQuiet = (scene: Scene): boolean =>
  reading(scene, (log) => {
    const [{ queued, lastGoal } = { queued: [null], lastGoal: null }] = listSchedules(log.db);
    return queued.length === 0 && lastGoal !== null && loadGoal(log.db, lastGoal)!.state === 'DONE';
  });

const points: [string, CrashPlan][] = [
  ['before the firing is recorded', { point: 'before:commit', matching: 'schedule.fired' }],
  [
    'when the firing is recorded and its goal not submitted',
    { point: 'after:commit', matching: 'schedule.fired' },
  ],
  ['when its goal is submitted', { point: 'after:droverAddJobs' }],
  ['before the next time is in Redis', { point: 'before:updateJobScheduler' }],
  ['when the next time is in Redis', { point: 'after:updateJobScheduler' }],
  ['before the firing’s job is done', { point: 'before:moveToFinished', matching: ':schedules:' }],
];

it.each(points)('dies %s', async (_, crash) => {
  const scene = await set();
  const first = await scene.supervisor({ timing: QUICK });
  await first.ask('addSchedule', schedule);
  await first.ask('crashAt', crash);
  await first.exited;
  expect(first.signalCode).toBe('SIGKILL');
  await goOn(scene);
});

it('dies when it is recorded and Redis has not heard of it', async () => {
  const scene = await set();
  const first = await scene.supervisor({
    timing: QUICK,
    crash: { point: 'before:addJobScheduler' },
  });
  first.send({ ask: -1, action: 'addSchedule', input: schedule });
  await first.exited;
  expect(first.signalCode).toBe('SIGKILL');
  await goOn(scene);
});

/** The next supervisor makes up for what was due, and fires on; nothing is lost, doubled or left over. */
async function goOn(scene: Scene): Promise<void> {
  const second = await scene.supervisor({ timing: QUICK, agents: {} });
  const before = firings(scene).length;
  await until(() => firings(scene).length >= before + 3);
  await second.ask('pauseSchedule', 'often');
  await until(() => isQuiet(scene));
  await second.end();
  const fired = firings(scene);
  const added = reading(scene, (log) => [...log.events({ goal: SUBJECT })][0]!.time);
  const start = Math.floor(added / 1_000) * 1_000;
  expect(fired.map(({ due }) => due)).toEqual(fired.map((_, index) => start + (index + 1) * 1_000));
  await judge(scene, new Map(fired.map(({ goal }) => [goal, plan])));
}
