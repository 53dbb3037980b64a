/** Agents that die while they handle a task's files: each task is merged once, and no finished work is made again. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { command, git, judgeFiles, runsOf } from './files-oracle.js';
import { type CrashPlan, QUICK, stage } from './support.js';

const set = stage();

/** Whether its work was journaled when the agent died, so that it may not run again. */
type Point = readonly [when: string, crash: CrashPlan, finished: boolean];

/** Each group's agents die at the same time. */
const GROUPS: Readonly<Record<string, readonly Point[]>> = {
  'making a worktree': [
    [
      'when it starts the goal',
      { point: 'after:git.update-ref', matching: 'drover: start' },
      false,
    ],
    [
      'when it holds the claim',
      { point: 'after:git.update-ref', matching: 'drover: begin' },
      false,
    ],
    [
      'while it makes the worktree',
      { point: 'before:fs.rename', matching: '.git/worktrees' },
      false,
    ],
    ['when the command has begun', { point: 'after:spawn', matching: 'first.txt' }, false],
  ],
  committing: [
    ['before the work is taken in', { point: 'before:git.add' }, false],
    ['when it is committed', { point: 'after:git.update-ref', matching: 'checkpoint' }, false],
    [
      'before that is journaled',
      { point: 'before:droverWriteClaim', matching: 'drover.work' },
      false,
    ],
    ['when that is journaled', { point: 'after:droverWriteClaim', matching: 'drover.work' }, true],
  ],
  merging: [
    ['while it checks', { point: 'after:spawn', matching: 'test -s' }, true],
    [
      'before the branch moves',
      { point: 'before:git.update-ref', matching: 'drover: merge' },
      true,
    ],
    [
      'when the branch has moved',
      { point: 'after:git.update-ref', matching: 'drover: merge' },
      true,
    ],
    ['before it is told', { point: 'before:droverWriteClaim', matching: 'task.merged' }, true],
    ['when it is told', { point: 'after:droverWriteClaim', matching: 'task.merged' }, true],
    ['when the worktree is half gone', { point: 'after:fs.rm', matching: '.1' }, true],
  ],
};

it.each(Object.entries(GROUPS))(
  'agents die while %s: each task is merged once',
  async (_, points) => {
    const scene = await set();
    const supervisor = await scene.supervisor({ timing: QUICK });
    const victims = [];
    for (const [index, [when, crash]] of points.entries()) {
      const shell = `shell-${index}`;
      const tasks = [
        command(scene, 'first', shell, 'echo first > first.txt; echo 1 >> both.txt', {
          check: { run: 'test -s first.txt', timeout: 60_000 },
        }),
      ];
      await supervisor.ask('enqueue', { title: when, project: `p${index}`, tasks });
      const agents = { capabilities: [], shells: [shell] };
      victims.push(scene.launch('agent', { timing: QUICK, crash, agents }));
    }
    for (const [index, victim] of victims.entries()) {
      await victim.exited;
      expect([points[index]![0], victim.signalCode, victim.account()]).toEqual([
        points[index]![0],
        'SIGKILL',
        victim.account(),
      ]);
    }
    const shells = Array.from(points.keys(), (index) => `shell-${index}`);
    const agent = await scene.agent({ timing: QUICK, agents: { capabilities: [], shells } });
    for (const index of points.keys())
      await supervisor.line(({ ended }) => ended === `goal-${index + 1}`);
    await agent.end();
    await supervisor.end();
    await judgeFiles(scene);
    for (const [index, [when, , finished]] of points.entries()) {
      const goal = `goal-${index + 1}`;
      const first = runsOf(scene, goal, 'first');
      expect({ when, first: finished ? first : Math.min(first, 1) }).toEqual({ when, first: 1 });
      const show = (path: string): string =>
        git(join(scene.dir, 'projects', `p${index}`), 'show', `autonomous/${goal}:${path}`);
      expect([when, show('first.txt'), show('both.txt')]).toEqual([when, 'first', '1']);
    }
  },
);
