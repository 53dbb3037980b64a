/** Agents on other machines: they have the repository by URL, the supervisor by its path, and some of them die. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { gitDaemon, sshProgram, sshServer } from '../support/git-server.js';
import { command, git, judgeFiles, runsOf } from './files-oracle.js';
import { type CrashPlan, QUICK, type Scene, type Settings, stage, until } from './support.js';

const set = stage();

/** A bare repository that is registered by its path for the supervisor. */
function serve({ dir }: Scene): string {
  const [work, repository] = [join(dir, 'work'), join(dir, 'theirs.git')];
  git(dir, 'init', '-q', '-b', 'trunk', work);
  writeFileSync(join(work, 'readme'), 'theirs\n');
  git(work, 'add', '.');
  git(work, 'commit', '-qm', 'first');
  git(dir, 'clone', '-q', '--bare', work, repository);
  git(repository, 'config', 'uploadpack.allowFilter', 'true');
  register(join(dir, 'projects'), repository);
  return repository;
}

function register(projectsDir: string, location: string): void {
  mkdirSync(projectsDir, { recursive: true });
  writeFileSync(join(projectsDir, 'shop.yaml'), `repository: ${location}\nland: auto\n`);
}

/** What an agent on another machine is started with. */
function elsewhere({ dir }: Scene, name: string, url: string, shells: string[]): Settings {
  const projectsDir = join(dir, name, 'projects');
  register(projectsDir, url);
  const agents = { capabilities: [], shells };
  return { dataDir: join(dir, name, 'data'), projectsDir, timing: QUICK, agents };
}

it('work of agents by git daemon, by ssh and beside the repository comes together and lands', async () => {
  const scene = await set();
  const repository = serve(scene);
  const url = `${await gitDaemon(scene.dir)}/theirs.git`;
  // The real one where there is one: the tests of clones tell by name where it is missing.
  const sshd = await sshServer(scene.dir);
  const ssh =
    'missing' in sshd ? { url: 'ssh://elsewhere.invalid', command: sshProgram(scene.dir) } : sshd;
  const supervisor = await scene.supervisor({ timing: QUICK });
  const machines = [
    elsewhere(scene, 'machine-1', repository, ['near', 'shell']),
    elsewhere(scene, 'machine-2', url, ['daemon', 'shell']),
    {
      ...elsewhere(scene, 'machine-3', `${ssh.url}${repository}`, ['ssh', 'shell']),
      env: { GIT_SSH_COMMAND: ssh.command },
    },
  ];
  const agents = await Promise.all(machines.map((machine) => scene.agent(machine)));
  const all = ['near', 'daemon', 'ssh'];
  const retry = { attempts: 6, backoff: { type: 'fixed', delay: 10, jitter: 0 } } as const;
  const tasks = [
    ...all.map((name) =>
      command(scene, name, name, `echo ${name} > ${name}.txt; echo ${name} >> list`, {
        check: { run: `grep -q ${name} list`, timeout: 60_000 },
        retry,
      }),
    ),
    command(scene, 'join', 'shell', 'cat near.txt daemon.txt ssh.txt > all', { needs: all }),
  ];
  await supervisor.ask('enqueue', { title: 'Together', project: 'shop', tasks });
  await supervisor.line(({ ended }) => ended === 'goal-1');
  await until(
    () => git(repository, 'log', '-1', '--format=%s', 'trunk') === 'Land goal-1: Together',
  );
  for (const child of [...agents, supervisor]) await child.end();
  await judgeFiles(
    scene,
    machines.map(({ dataDir }) => dataDir!),
  );
  expect(git(repository, 'show', 'trunk:all')).toBe('near\ndaemon\nssh');
  expect(git(repository, 'show', 'trunk:list').split('\n').toSorted()).toEqual(all.toSorted());
});

/** Whether its work was journaled when the agent died, so that it may not run again. */
type Point = readonly [when: string, crash: CrashPlan, finished: boolean];
const claims = 'refs/drover/claims';
const POINTS: readonly Point[] = [
  ['when it has cloned', { point: 'after:git.clone' }, false],
  ['when it holds the claim', { point: 'after:git.push', matching: claims }, false],
  ['before it pushes its work', { point: 'before:git.push', matching: claims, skip: 1 }, false],
  ['when it has pushed its work', { point: 'after:git.push', matching: claims, skip: 1 }, false],
  ['before it pushes the merge', { point: 'before:git.push', matching: claims, skip: 2 }, true],
  ['when it has pushed the merge', { point: 'after:git.push', matching: claims, skip: 2 }, true],
];

it('an agent dies on one machine, and one on another goes on from what it pushed', async () => {
  const scene = await set();
  const repository = serve(scene);
  const url = `${await gitDaemon(scene.dir)}/theirs.git`;
  const supervisor = await scene.supervisor({ timing: QUICK });
  const victims = [];
  for (const [index, [when, crash]] of POINTS.entries()) {
    const shell = `shell-${index}`;
    const tasks = [
      command(scene, 'first', shell, `echo first > first.txt; echo 1 >> ${index}.txt`, {
        check: { run: 'test -s first.txt', timeout: 60_000 },
      }),
    ];
    await supervisor.ask('enqueue', { title: when, project: 'shop', tasks });
    const machine = elsewhere(scene, `machine-${index}`, url, [shell]);
    victims.push(scene.launch('agent', { ...machine, crash }));
  }
  for (const [index, victim] of victims.entries()) {
    await victim.exited;
    expect([POINTS[index]![0], victim.signalCode, victim.account()]).toEqual([
      POINTS[index]![0],
      'SIGKILL',
      victim.account(),
    ]);
  }
  const shells = Array.from(POINTS.keys(), (index) => `shell-${index}`);
  const heir = elsewhere(scene, 'heir', url, shells);
  const agent = await scene.agent(heir);
  for (const index of POINTS.keys())
    await supervisor.line(({ ended }) => ended === `goal-${index + 1}`);
  await agent.end();
  const landed = (): string => git(repository, 'log', '--format=%s', 'trunk');
  await until(() =>
    POINTS.every(([when], index) => landed().includes(`goal-${index + 1}: ${when}`)),
  );
  await supervisor.end();
  await judgeFiles(scene, [heir.dataDir!]);
  for (const [index, [when, , finished]] of POINTS.entries()) {
    const goal = `goal-${index + 1}`;
    const runs = runsOf(scene, goal, 'first');
    expect({ when, runs: finished ? runs : Math.min(runs, 1) }).toEqual({ when, runs: 1 });
    const show = (path: string): string => git(repository, 'show', `autonomous/${goal}:${path}`);
    expect([when, show('first.txt'), show(`${index}.txt`)]).toEqual([when, 'first', '1']);
  }
  expect(
    git(repository, 'for-each-ref', '--format=%(refname)', 'refs/heads/autonomous/task-*'),
  ).toBe('');
});
