/**
 * Redis forgets that a task was finished whose work git has merged: the task may run again, and its work is merged once.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { command, git, judgeFiles, runsOf } from './files-oracle.js';
import { HEIR, QUICK, type Scene, stage, until } from './support.js';

const set = stage();

/** An agent merges its task and dies before it has said so, while nobody records. */
async function merged(
  run: string,
): Promise<{ scene: Scene; /** Of Redis, while it ran. */ bytes: number }> {
  const scene = await set();
  const supervisor = await scene.supervisor({ timing: QUICK });
  const go = join(scene.dir, 'go');
  const tasks = [
    command(scene, 'one', 'shell', `until [ -e '${go}' ]; do sleep 0.05; done; ${run}`),
    command(scene, 'two', 'shell', 'echo two >> list', { needs: ['one'] }),
  ];
  await supervisor.ask('enqueue', { title: 'Once', project: 'shop', tasks });
  const victim = scene.launch('agent', {
    timing: QUICK,
    crash: { point: 'after:git.update-ref', matching: 'drover: merge' },
    agents: { capabilities: [], shells: ['shell'] },
  });
  await until(() => runsOf(scene, 'goal-1', 'one') === 1);
  await supervisor.kill();
  const bytes = await scene.redis.written();
  writeFileSync(go, '');
  await victim.exited;
  expect([victim.signalCode, victim.account()]).toEqual(['SIGKILL', victim.account()]);
  return { scene, bytes };
}

async function goOn(scene: Scene): Promise<(path: string) => string> {
  const supervisor = await scene.supervisor({ timing: QUICK });
  await supervisor.ask('follow', 'goal-1');
  const agent = await scene.agent({
    timing: HEIR,
    agents: { capabilities: [], shells: ['shell'] },
  });
  await supervisor.line(({ ended }) => ended === 'goal-1');
  await agent.end();
  await supervisor.end();
  expect(runsOf(scene, 'goal-1', 'one')).toBe(2);
  await judgeFiles(scene);
  const repository = join(scene.dir, 'projects', 'shop');
  return (path) => git(repository, 'show', `autonomous/goal-1:${path}`);
}

const LOSSES: Readonly<Record<string, (scene: Scene, bytes: number) => Promise<void>>> = {
  'lost its last second': async ({ redis }, bytes) => {
    await redis.kill();
    await redis.loseAfter(bytes);
    await redis.start();
  },
  'was emptied': ({ redis }) => redis.use(async (client) => void (await client.flushall())),
};

it.each(Object.entries(LOSSES))(
  'Redis %s: what is merged already is not merged again',
  async (_, lose) => {
    const { scene, bytes } = await merged('echo one >> list');
    await lose(scene, bytes);
    const show = await goOn(scene);
    expect(show('list')).toBe('one\ntwo');
    // What it made again is the same, and has not to be kept.
    const repository = join(scene.dir, 'projects', 'shop');
    expect(git(repository, 'for-each-ref', 'refs/drover/kept/')).toBe('');
  },
);
