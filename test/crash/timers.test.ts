/** Supervisors that die while a time opens a gate: the task behind it begins, once, and not before its time. */
import { expect, it } from 'vitest';
import { judge, type Plan, PLANS } from './oracle.js';
import { type CrashPlan, QUICK, stage } from './support.js';

const set = stage();
const WAIT = 300;
const waiting = (gate: object): Plan =>
  PLANS.chain(3).map((task) => (task.name === 'c1' ? { ...task, ...gate } : task));

const GATES: Readonly<Record<string, { plan: Plan; event: string; job: string }>> = {
  'a wait': { plan: waiting({ wait: { for: WAIT } }), event: 'gate.opened', job: '.timer' },
  'a deadline': {
    plan: waiting({ approve: { deadline: WAIT, default: 'approve' } }),
    event: 'task.approved',
    job: '.approval',
  },
};
const points = (event: string, job: string): [when: string, crash: CrashPlan][] => [
  ['before the time runs in Redis', { point: 'before:changeDelay' }],
  ['when the time runs in Redis', { point: 'after:changeDelay' }],
  ['before it is recorded', { point: 'before:commit', matching: event }],
  ['when it is recorded', { point: 'after:commit', matching: event }],
  ['before the gate is open', { point: 'before:droverComplete', matching: job }],
  ['when the gate is open', { point: 'after:droverComplete', matching: job }],
];
const all = Object.entries(GATES).flatMap(([gate, { plan, event, job }]) =>
  points(event, job).map(([when, crash]) => ({ gate, when, plan, event, crash })),
);

it.each(all)('dies $when of $gate', async ({ plan, event: opened, crash }) => {
  const scene = await set();
  const first = await scene.supervisor({ timing: QUICK, agents: {}, crash });
  first.send({ ask: 1, action: 'enqueue', input: { title: 'Wait', tasks: plan } });
  await first.exited;
  expect(first.signalCode).toBe('SIGKILL');
  const second = await scene.supervisor({ timing: QUICK, agents: {} });
  await second.ask('follow', 'goal-1');
  await second.line(({ ended }) => ended === 'goal-1');
  await second.end();
  const { events } = await judge(scene, new Map([['goal-1', plan]]));
  const [opening, ...more] = events.filter(({ event }) => event.type === opened);
  expect({ opening: opening?.task, via: opening?.event, more }).toMatchObject({
    opening: 'task-2',
    via: { via: 'time' },
    more: [],
  });
  const reached = events.find(
    ({ event, task }) => event.type === 'task.completed' && task === 'task-1',
  )!;
  const began = events.find(
    ({ event, task }) => event.type === 'task.assigned' && task === 'task-2',
  )!;
  expect(began.time - reached.time).toBeGreaterThanOrEqual(WAIT);
});
