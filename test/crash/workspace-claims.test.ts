/** Two claims of one task that both finish its work: one of them is merged, and nothing of the user's is lost. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { command, git, judgeFiles, runsOf } from './files-oracle.js';
import { QUICK, stage, until } from './support.js';

const set = stage();

it('an agent is stopped past its lock and goes on: its work is not merged a second time', async () => {
  const scene = await set();
  const repository = join(scene.dir, 'theirs');
  git(scene.dir, 'init', '-q', '--bare', '-b', 'trunk', repository);
  const checkout = join(scene.dir, 'checkout');
  git(scene.dir, 'clone', '-q', repository, checkout);
  writeFileSync(join(checkout, 'readme'), 'theirs\n');
  git(checkout, 'add', '.');
  git(checkout, 'commit', '-qm', 'first');
  git(checkout, 'push', '-q', 'origin', 'HEAD:trunk');

  const supervisor = await scene.supervisor({ timing: QUICK });
  mkdirSync(join(scene.dir, 'projects'), { recursive: true });
  writeFileSync(
    join(scene.dir, 'projects', 'shop.yaml'),
    `repository: ${repository}\nland: auto\n`,
  );
  const agents = { capabilities: [], shells: ['shell'] };
  const stopped = await scene.agent({ timing: QUICK, agents });
  const go = join(scene.dir, 'go');
  const run = `until [ -e '${go}' ]; do sleep 0.05; done; echo line >> list`;
  const tasks = [command(scene, 'one', 'shell', run)];
  await supervisor.ask('enqueue', { title: 'Once', project: 'shop', tasks });
  await until(() => runsOf(scene, 'goal-1', 'one') === 1);
  stopped.signal('SIGSTOP');
  const agent = await scene.agent({ timing: QUICK, agents });
  await until(() => runsOf(scene, 'goal-1', 'one') === 2);
  // The base branch moves under both of them.
  writeFileSync(join(checkout, 'readme'), 'theirs\nmore\n');
  git(checkout, 'commit', '-qam', 'second');
  git(checkout, 'push', '-q', 'origin', 'HEAD:trunk');
  writeFileSync(go, '');
  await supervisor.line(({ ended }) => ended === 'goal-1');
  stopped.signal('SIGCONT');
  await stopped.end();
  await agent.end();
  await until(() => git(repository, 'log', '--format=%s', 'trunk').includes('Land goal-1'));
  await supervisor.end();
  await judgeFiles(scene);
  expect(git(repository, 'show', 'trunk:list')).toBe('line');
  expect(git(repository, 'show', 'trunk:readme')).toBe('theirs\nmore');
  expect(existsSync(join(scene.dir, 'agents', 'worktrees', 'shop', 'task-1.2'))).toBe(false);
});
