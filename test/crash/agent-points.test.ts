/** Agents that die at named points: nothing is lost, and what is finished does not run again. */
import { describe, expect, it } from 'vitest';
import { judge, type Plan, PLANS } from './oracle.js';
import { type CrashPlan, QUICK, stage } from './support.js';

const set = stage();

describe('an agent', () => {
  const points: [string, Plan, CrashPlan][] = [
    ['when it has claimed a task', PLANS.chain(2), { point: 'after:moveToActive', skip: 1 }],
    ['when it has announced its claim', PLANS.chain(2), { point: 'after:droverOpenClaim' }],
    [
      'before a step is journaled',
      PLANS.chain(2),
      { point: 'before:droverWriteClaim', matching: 'step-1' },
    ],
    [
      'when a step is journaled',
      PLANS.chain(2),
      { point: 'after:droverWriteClaim', matching: 'step-1' },
    ],
    ['before it hands in a result', PLANS.chain(2), { point: 'before:droverCompleteClaim' }],
    ['when its result is accepted', PLANS.chain(2), { point: 'after:droverCompleteClaim' }],
    ['before it passes a result on', PLANS.diamond(3), { point: 'before:droverCompleteClaim' }],
    ['when it has passed a result on', PLANS.diamond(3), { point: 'after:droverCompleteClaim' }],
    [
      'before it hands in a result with its claim',
      PLANS.instant(3),
      { point: 'before:droverOpenAndComplete', skip: 1 },
    ],
    [
      'when a result with its claim is accepted',
      PLANS.instant(3),
      { point: 'after:droverOpenAndComplete', skip: 1 },
    ],
    ['before it puts an attempt off', PLANS.retries(), { point: 'before:moveToDelayed' }],
    ['when it has put an attempt off', PLANS.retries(), { point: 'after:moveToDelayed' }],
    ['before it waits for added tasks', PLANS.growth(), { point: 'before:moveToWaitingChildren' }],
    ['when it waits for added tasks', PLANS.growth(), { point: 'after:moveToWaitingChildren' }],
    ['before it asks for more tasks', PLANS.growth(), { point: 'before:addStandardJob' }],
    ['when it has asked for more tasks', PLANS.growth(), { point: 'after:addStandardJob' }],
  ];
  it.each(points)('dies %s: the next one goes on', async (_, plan, crash) => {
    const scene = await set();
    const supervisor = await scene.supervisor({ timing: QUICK });
    await supervisor.ask('enqueue', { title: 'Survive', tasks: plan });
    const victim = scene.launch('agent', { timing: QUICK, crash });
    await victim.exited;
    expect(victim.signalCode).toBe('SIGKILL');
    const agent = await scene.agent({ timing: QUICK });
    await supervisor.line(({ ended }) => ended === 'goal-1');
    await agent.kill();
    await supervisor.end();
    await judge(scene, new Map([['goal-1', plan]]));
  });
});
