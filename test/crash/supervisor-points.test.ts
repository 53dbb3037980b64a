/** Supervisors that die at named points: nothing is lost, and what is finished does not run again. */
import { describe, expect, it } from 'vitest';
import { judge, type Plan, PLANS } from './oracle.js';
import { type CrashPlan, PREFIX, QUICK, stage } from './support.js';

const set = stage();
const diamond = PLANS.diamond(3);
/** More dependents than an agent passes a result on to. */
const wide = PLANS.diamond(202, { steps: 0, ms: 0 });

describe('the supervisor, between recording a goal and submitting it', () => {
  const points: [string, CrashPlan][] = [
    ['before the log has the goal', { point: 'before:commit', matching: 'goal.created' }],
    ['when the log has the goal', { point: 'after:commit', matching: 'goal.created' }],
    ['before the flow is submitted', { point: 'before:droverAddJobs' }],
    ['when the flow is submitted', { point: 'after:droverAddJobs' }],
  ];
  it.each(points)(
    'dies %s: the request repeated with its key is one goal, which runs once',
    async (_, crash) => {
      const scene = await set();
      const first = await scene.supervisor();
      const request = { title: 'Survive', tasks: diamond, key: 'once' };
      await first.ask('crashAt', crash);
      first.send({ ask: -1, action: 'enqueue', input: request });
      await first.exited;
      expect(first.signalCode).toBe('SIGKILL');
      const second = await scene.supervisor({ agents: {} });
      const { ok } = await second.ask('enqueue', request);
      expect(ok).toEqual({ goal: 'goal-1', created: crash.point === 'before:commit' });
      await second.line(({ ended }) => ended === 'goal-1');
      await second.end();
      const { events } = await judge(scene, new Map([['goal-1', diamond]]));
      expect(events.filter(({ event }) => event.type === 'task.assigned')).toHaveLength(5);
    },
  );
});

describe('the supervisor, between the parts of a large plan', () => {
  const large = PLANS.layers(20, 30, { steps: 0, ms: 0 });
  // Some tasks are there then whose needs are a task's that is there and of another that is not.
  it.each([1, 3, 4])(
    'dies after part %i: nothing began, and the next one submits the rest',
    async (skip) => {
      const scene = await set();
      const first = await scene.supervisor({
        agents: {},
        crash: { point: 'before:droverAddJobs', skip },
      });
      first.send({ ask: -1, action: 'enqueue', input: { title: 'Survive', tasks: large } });
      await first.exited;
      expect(first.signalCode).toBe('SIGKILL');
      const [goal, top] = await scene.redis.use((client) =>
        Promise.all(
          ['goals:goal-1', 'worker:task-1'].map((key) => client.exists(`${PREFIX}:${key}`)),
        ),
      );
      expect({ goal, top }).toEqual({ goal: 1, top: 0 });
      const second = await scene.supervisor({ agents: {} });
      await second.ask('follow', 'goal-1');
      await second.line(({ ended }) => ended === 'goal-1');
      await second.end();
      const { events } = await judge(scene, new Map([['goal-1', large]]));
      expect(events.filter(({ event }) => event.type === 'task.assigned')).toHaveLength(600);
    },
  );
});

describe('the supervisor, at work', () => {
  const points: [string, Plan, CrashPlan][] = [
    // Not counted: how many commits a run takes depends on how busy the machine is.
    ['in the middle of a batch', diamond, { point: 'before:commit', matching: 'task.completed' }],
    ['when a batch is recorded', diamond, { point: 'after:commit', matching: 'task.completed' }],
    ['before it trims what is recorded', PLANS.chain(6, { ms: 200 }), { point: 'before:xtrim' }],
    ['when it has trimmed', PLANS.chain(6, { ms: 200 }), { point: 'after:xtrim' }],
    ['before a relay opens its gates', wide, { point: 'before:droverComplete' }],
    ['when a relay has opened its gates', wide, { point: 'after:droverComplete' }],
    ['before a relay is completed', wide, { point: 'before:moveToFinished', matching: ':relays:' }],
    ['when a relay is completed', wide, { point: 'after:moveToFinished', matching: ':relays:' }],
    [
      'before added tasks are recorded',
      PLANS.growth(),
      { point: 'before:commit', matching: 'plan.grown' },
    ],
    ['before added tasks are submitted', PLANS.growth(), { point: 'before:droverAddJobs' }],
    ['when added tasks are submitted', PLANS.growth(), { point: 'after:droverAddJobs' }],
    [
      'before the last commit',
      PLANS.chain(1),
      { point: 'before:commit', matching: 'task.completed' },
    ],
  ];
  it.each(points)('dies %s: the next one goes on', async (_, plan, crash) => {
    const scene = await set();
    const first = await scene.supervisor({ timing: QUICK });
    await first.ask('enqueue', { title: 'Survive', tasks: plan });
    await first.ask('crashAt', crash);
    const agent = await scene.agent({ timing: QUICK });
    await first.exited;
    expect(first.signalCode).toBe('SIGKILL');
    const second = await scene.supervisor({ timing: QUICK });
    await second.ask('follow', 'goal-1');
    await second.line(({ ended }) => ended === 'goal-1');
    await agent.kill();
    await second.end();
    await judge(scene, new Map([['goal-1', plan]]));
  });
});
