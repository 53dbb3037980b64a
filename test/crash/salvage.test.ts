/** An agent is killed in the middle of its work: what it had not committed is kept, shown, and seen by the next attempt. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { pruneIn, worktreesIn } from '../../src/engine/workspaces/looking.js';
import { connectDrover, type DroverClient } from '../../src/index.js';
import { environment, git, judgeFiles, runsOf, command } from './files-oracle.js';
import { HEIR, PREFIX, QUICK, type Scene, stage, until } from './support.js';

let client: DroverClient | undefined;
const set = stage();
afterEach(async () => {
  await client?.close({ force: true });
  client = undefined;
});

/** A place in which an agent was killed that had written two files, and committed one of them. */
async function killed(): Promise<{ scene: Scene; repository: string; end: () => Promise<void> }> {
  const scene = await set();
  const supervisor = await scene.supervisor({ timing: QUICK });
  const run =
    'echo 1 > committed; git add committed; git -c user.name=a -c user.email=a@b commit -qm By-the-agent; echo 2 > left; touch "$RUNS.here"; sleep 600';
  const tasks = [command(scene, 'one', 'shell', run)];
  await supervisor.ask('enqueue', { title: 'Salvage', project: 'shop', tasks });
  const victim = await scene.agent({
    timing: QUICK,
    agents: { capabilities: [], shells: ['shell'] },
  });
  const here = join(scene.dir, 'runs.here');
  await until(() => {
    try {
      return readFileSync(here, 'utf8') === '';
    } catch {
      return false;
    }
  });
  await victim.kill();
  const end = async (): Promise<void> => {
    await supervisor.line(({ ended }) => ended === 'goal-1');
    await client!.close();
    await supervisor.end();
  };
  return { scene, repository: join(scene.dir, 'projects', 'shop'), end };
}

const placeOf = ({ dir }: Scene) => ({
  projectsDir: join(dir, 'projects'),
  dataDir: join(dir, 'agents'),
  environment,
});

const pruned = async (scene: Scene) => (await pruneIn(placeOf(scene), ['shop']))[0]!.found!;

async function joined(scene: Scene): Promise<DroverClient> {
  client = await connectDrover({
    redis: { path: scene.redis.socket },
    prefix: PREFIX,
    ...placeOf(scene),
    timing: HEIR,
    onError: () => undefined,
  });
  return client;
}

it('the next attempt takes it over: it is merged, and nothing has to be kept any more', async () => {
  const { scene, repository, end } = await killed();
  const reports = (await worktreesIn(placeOf(scene), ['shop']))[0]!.found!;
  expect(reports).toMatchObject([
    {
      name: 'task-1.1',
      state: 'dirty',
      isSafe: false,
      reason: 'It has work that no reference keeps.',
    },
  ]);
  expect(await pruned(scene)).toMatchObject({ removed: [], kept: [{ name: 'task-1.1' }] });

  const seen: (readonly string[])[] = [];
  await (
    await joined(scene)
  ).agent('shell', async (task) => {
    const { dir, earlier } = await task.workspace();
    seen.push(earlier);
    expect(git(dir, 'show', `${earlier[0]}:committed`)).toBe('1');
    expect(git(dir, 'show', `${earlier[0]}:left`)).toBe('2');
    git(dir, 'checkout', earlier[0]!, '--', '.');
  });
  await end();
  expect(seen).toEqual([[git(repository, 'rev-parse', 'refs/drover/kept/task-1.1')]]);
  expect(git(repository, 'log', '--format=%s', 'refs/drover/kept/task-1.1')).toMatch(
    /^Keep what claim 1 of task-1 left\nBy-the-agent\n/,
  );
  expect(git(repository, 'show', 'autonomous/goal-1:left')).toBe('2');
  expect((await worktreesIn(placeOf(scene), ['shop']))[0]!.found).toEqual([]);
  expect((await pruned(scene)).references).toEqual(['refs/drover/kept/task-1.1']);
  expect(runsOf(scene, 'goal-1', 'one')).toBe(1);
  await judgeFiles(scene);
});

it('the next attempt does it in another way: what was left stays, whatever is pruned', async () => {
  const { scene, repository, end } = await killed();
  await (
    await joined(scene)
  ).agent('shell', async (task) => {
    await task.workspace();
    return 'there was nothing to do';
  });
  await end();
  expect(await pruned(scene)).toEqual({ removed: [], kept: [], zombies: [], references: [] });
  expect(git(repository, 'show', 'refs/drover/kept/task-1.1:committed')).toBe('1');
  expect(git(repository, 'show', 'refs/drover/kept/task-1.1:left')).toBe('2');
});
