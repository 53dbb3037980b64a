/** Supervisors that die while a goal's branch follows the log: the next one carries it out, once. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadGoal } from '../../src/projections/board.js';
import { Log } from '../../src/log/log.js';
import { command, git, judgeFiles, runsOf } from './files-oracle.js';
import { type CrashPlan, HEIR, type Scene, stage, until } from './support.js';

const set = stage();
const agents = { capabilities: [], shells: ['shell'] };

const landed = ({ dataDir }: Scene): string | null => {
  const log = Log.read(dataDir);
  try {
    return loadGoal(log.db, 'goal-1')?.landed ?? null;
  } finally {
    log.close();
  }
};

const tasks = (scene: Scene) => [
  command(scene, 'one', 'shell', 'echo 1 > one'),
  command(scene, 'two', 'shell', 'cat one > two', { needs: ['one'] }),
];

const LANDING: readonly CrashPlan[] = [
  { point: 'before:git.update-ref', matching: 'drover: land' },
  { point: 'after:git.update-ref', matching: 'drover: land' },
];

it.each(LANDING)('a supervisor dies while a goal lands: $point', async (crash) => {
  const scene = await set();
  const victim = await scene.supervisor({ timing: HEIR, agents, crash });
  victim.send({
    ask: 1,
    action: 'enqueue',
    input: { title: 'Land', project: 'shop', tasks: tasks(scene) },
  });
  await victim.exited;
  expect(victim.signalCode).toBe('SIGKILL');
  const next = await scene.supervisor({ timing: HEIR, agents });
  await until(() => landed(scene) !== null);
  await next.end();
  await judgeFiles(scene, [scene.dataDir]);
  const repository = join(scene.dir, 'projects', 'shop');
  expect(git(repository, 'show', 'main:two')).toBe('1');
  // Its checkout has followed, also where the branch had moved before the supervisor died.
  expect(git(repository, 'status', '--porcelain')).toBe('');
  expect(git(repository, 'for-each-ref', 'refs/drover/follow')).toBe('');
  expect(
    git(repository, 'log', '--format=%s', '--grep=^Land goal-1', 'main').split('\n'),
  ).toHaveLength(1);
  expect([runsOf(scene, 'goal-1', 'one'), runsOf(scene, 'goal-1', 'two')]).toEqual([1, 1]);
});

const ROLLBACK: readonly CrashPlan[] = [
  { point: 'before:git.update-ref', matching: 'drover: roll' },
  { point: 'after:git.update-ref', matching: 'drover: roll' },
];

it.each(ROLLBACK)('a supervisor dies while a goal goes back: $point', async (crash) => {
  const scene = await set();
  const victim = await scene.supervisor({ timing: HEIR, agents });
  await victim.ask('enqueue', { title: 'Go back', project: 'shop', tasks: tasks(scene) });
  await until(() => landed(scene) !== null);
  await victim.ask('crashAt', crash);
  victim.send({ ask: 9, action: 'control', input: ['rollback', 'goal-1', 'task-1', 'again'] });
  await victim.exited;
  expect(victim.signalCode).toBe('SIGKILL');
  const next = await scene.supervisor({ timing: HEIR, agents });
  await until(() => landed(scene) !== null);
  await next.end();
  await judgeFiles(scene, [scene.dataDir]);
  const repository = join(scene.dir, 'projects', 'shop');
  const kept = git(repository, 'for-each-ref', '--format=%(refname)', 'refs/drover/rolled-back/');
  expect(kept).toBe('refs/drover/rolled-back/goal-1.1');
  expect(git(repository, 'show', 'main:two')).toBe('1');
  expect([runsOf(scene, 'goal-1', 'one'), runsOf(scene, 'goal-1', 'two')]).toEqual([1, 2]);
});
