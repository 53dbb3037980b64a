/** Agents that die about the end of a step that changed files: what it did to them is there once. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';
import { command, git, judgeFiles } from './files-oracle.js';
import { type CrashPlan, HEIR, QUICK, stage, until } from './support.js';

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

it('an agent dies before its work is merged, which conflicts by then: it is not done without what its step left', async () => {
  const scene = await set();
  const supervisor = await scene.supervisor({ timing: QUICK });
  const retry = { attempts: 2, backoff: { type: 'fixed' as const, delay: 10, jitter: 0 } };
  const tasks = [
    { name: 'one', capability: 'worker', with: { steps: 1, list: 'list' }, retry },
    command(scene, 'two', 'shell', 'echo two > list'),
  ];
  await supervisor.ask('enqueue', { title: 'Conflict', project: 'shop', tasks });
  const victim = scene.launch('agent', {
    timing: QUICK,
    // Its work is journaled as finished, and waits in no train yet.
    crash: { point: 'after:droverWriteClaim', matching: '"work":{' },
    agents: { capabilities: ['worker'] },
  });
  await victim.exited;
  expect([victim.signalCode, victim.account()]).toEqual(['SIGKILL', victim.account()]);
  const repository = join(scene.dir, 'projects', 'shop');
  const list = (): string => git(repository, 'show', 'autonomous/goal-1:list');
  const other = await scene.agent({
    timing: HEIR,
    agents: { capabilities: [], shells: ['shell'] },
  });
  await until(
    () =>
      spawnSync('git', ['cat-file', '-e', 'autonomous/goal-1:list'], { cwd: repository }).status ===
      0,
  );
  await other.end();
  const heir = await scene.agent({ timing: HEIR, agents: { capabilities: ['worker'] } });
  await supervisor.line(({ ended }) => ended === 'goal-1');
  await heir.end();
  await supervisor.end();
  expect(list()).toBe('two');
  const log = Log.read(scene.dataDir);
  try {
    const [one] = loadGoal(log.db, 'goal-1')!.tasks.values();
    expect(one!.state).toBe('FAILED');
    expect(one!.error).toMatch(/finished steps of task-1 left .*--from-scratch/s);
  } finally {
    log.close();
  }
});
