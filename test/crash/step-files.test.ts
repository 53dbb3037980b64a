/** Agents that die about the end of a step that changed files: what it did to them is there once. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { git, judgeFiles } from './files-oracle.js';
import { type CrashPlan, HEIR, QUICK, stage } from './support.js';

const set = stage();

const POINTS: Readonly<Record<string, CrashPlan>> = {
  'committed and not journaled': { point: 'before:droverWriteClaim', matching: 'step-1' },
  journaled: { point: 'after:droverWriteClaim', matching: 'step-1' },
  'the last of all, and the task is not merged': {
    point: 'after:droverWriteClaim',
    matching: 'step-2',
  },
};

it('an agent dies when a step is committed, or journaled: each step’s line is there once', async () => {
  const scene = await set();
  const supervisor = await scene.supervisor({ timing: QUICK });
  const points = Object.entries(POINTS);
  for (const [index, [title, crash]] of points.entries()) {
    const capability = `worker-${index}`;
    const tasks = [{ name: 'one', capability, with: { steps: 3, list: 'list' } }];
    await supervisor.ask('enqueue', { title, project: `p${index}`, tasks });
    const agents = { capabilities: [capability] };
    const victim = scene.launch('agent', { timing: QUICK, crash, agents });
    await victim.exited;
    expect([title, victim.signalCode, victim.account()]).toEqual([
      title,
      'SIGKILL',
      victim.account(),
    ]);
  }
  const capabilities = points.map((_, index) => `worker-${index}`);
  const agent = await scene.agent({ timing: HEIR, agents: { capabilities } });
  for (const index of points.keys())
    await supervisor.line(({ ended }) => ended === `goal-${index + 1}`);
  await agent.end();
  await supervisor.end();
  await judgeFiles(scene);
  for (const [index, [title]] of points.entries()) {
    const repository = join(scene.dir, 'projects', `p${index}`);
    const list = git(repository, 'show', `autonomous/goal-${index + 1}:list`);
    expect([title, list]).toEqual([title, 'step-0\nstep-1\nstep-2']);
  }
});
