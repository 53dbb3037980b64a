/** What a task without a sandbox changes outside its own branch is noticed, refused, and put back where that is safe. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { audit, type AuditReport } from '../../src/engine/audit/audit.js';
import { Projects } from '../../src/engine/workspaces/projects.js';
import type { Drover } from '../../src/index.js';
import { Log } from '../../src/log/log.js';
import { beginRepository, git } from '../support/git.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const GOAL = 'autonomous/goal-1';

interface Place {
  readonly data: string;
  readonly repository: string;
  readonly drover: Drover;
}

/** Somebody's repository, whose base branch is checked out or which is bare. */
async function place(options: { bare?: boolean; settings?: string } = {}): Promise<Place> {
  const data = bed.folder();
  const theirs = bed.folder('theirs');
  beginRepository(theirs);
  const repository = options.bare ? join(bed.folder('bare'), 'shop.git') : theirs;
  if (options.bare) git(theirs, 'clone', '-q', '--bare', theirs, repository);
  mkdirSync(join(data, 'projects'));
  const registration = `repository: ${repository}\n${options.settings ?? ''}`;
  writeFileSync(join(data, 'projects', 'shop.yaml'), registration);
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  await drover.agent('shell', 'shell', { concurrency: 4 });
  return { data, repository, drover };
}

const IDENTITY = 'git config user.name Task; git config user.email task@example.org';
/** A commit of a task's own in its worktree. */
const COMMIT = `${IDENTITY}; echo 1 > one; git add one; git commit -qm mine`;

const enqueue = ({ drover }: Place, ...runs: string[]) =>
  drover.enqueue({
    title: 'Count',
    project: 'shop',
    tasks: runs.map((run, at) => ({
      name: `task${at}`,
      capability: 'shell',
      run,
      retry: { attempts: 2, backoff: { type: 'fixed', delay: 1 } },
    })),
  });

const failures = ({ drover }: Place, task = 'task-1') =>
  [...drover.ledger.log.events({ task, types: ['attempt.failed'] })].flatMap(({ event }) =>
    event.type === 'attempt.failed' ? [event] : [],
  );

const changesTold = ({ drover }: Place, task = 'task-1') =>
  [...drover.ledger.log.events({ task, types: ['outside.changed'] })].flatMap(({ event }) =>
    event.type === 'outside.changed' ? event.changes : [],
  );

async function hear({ data }: Place): Promise<AuditReport> {
  const log = Log.read(data);
  const environment = { PATH: process.env['PATH'] ?? '' };
  const projectsDir = join(data, 'projects');
  try {
    const projects = new Projects({ projectsDir, dataDir: data, environment });
    return await audit({ log, projects, running: true });
  } finally {
    log.close();
  }
}

/** Does something at a task's first attempt alone. */
const first = (here: Place, what: string): string =>
  `if [ ! -e ${here.data}/again ]; then touch ${here.data}/again; ${what}; fi; echo 2 > two`;

describe('a task moves', () => {
  it.each([
    ['the base branch, which is checked out', { bare: false }],
    ['the base branch of a bare repository', { bare: true }],
  ])('%s, to its own commit', async (_, options) => {
    const here = await place(options);
    const before = git(here.repository, 'rev-parse', 'trunk');
    const move = 'git update-ref refs/heads/trunk HEAD';
    const goal = await enqueue(here, first(here, `${COMMIT}; ${move}`));
    expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 2 }]);
    const { error } = failures(here)[0]!;
    expect(error).toContain('The branch trunk was moved to ');
    expect(error).toContain(`has been moved back to ${before.slice(0, 12)}`);
    const kept = /refs\/drover\/put-back\/\S+/.exec(error)![0].replace(/[;,.]$/, '');
    expect(git(here.repository, 'show', `${kept}:one`)).toBe('1');
    expect(git(here.repository, 'rev-parse', 'trunk')).toBe(before);
    if (!options.bare) expect(git(here.repository, 'status', '--porcelain')).toBe('');
    expect(await hear(here)).toMatchObject({ agrees: true });
  });

  it('the base branch, and a person commits on top: nothing of theirs is moved', async () => {
    const here = await place();
    const commit = `cd ${here.repository}; git reset -q --hard; echo 3 > three; git add three; git -c user.name=P -c user.email=p@example.org commit -qm theirs`;
    const move = `git update-ref refs/heads/trunk HEAD; (${commit})`;
    const goal = await enqueue(here, first(here, `${COMMIT}; ${move}`));
    expect((await goal.done()).state).toBe('DONE');
    const { error } = failures(here)[0]!;
    expect(error).toMatch(/The branch trunk \(\w+\) has the task’s commit \w+, .* `git revert`/);
    expect(git(here.repository, 'show', 'trunk:three')).toBe('3');
    expect(git(here.repository, 'log', '-1', '--format=%s', 'trunk')).toBe('theirs');
  });

  it.each([
    ['forwards', `${COMMIT}; git push -q . HEAD:${GOAL}`],
    ['to a commit that it made aside', `c=$(git commit-tree HEAD^{tree} -p HEAD -m x </dev/null)`],
    ['back', 'true'],
  ])('its goal’s branch %s', async (how, what) => {
    const here = await place();
    const target = how === 'back' ? `${GOAL}~1` : '$c';
    const move =
      how === 'forwards'
        ? what
        : `${IDENTITY}; ${what}; git update-ref refs/heads/${GOAL} ${target}`;
    const goal = await here.drover.enqueue({
      title: 'Count',
      project: 'shop',
      tasks: [
        { name: 'one', capability: 'shell', run: 'echo 0 > zero' },
        { name: 'two', capability: 'shell', run: first(here, move), needs: ['one'] },
      ],
    });
    expect((await goal.done()).tasks[1]).toMatchObject({ state: 'DONE', claims: 2 });
    expect(failures(here, 'task-2')[0]!.error).toMatch(
      /The branch autonomous\/goal-1 was moved to \w+ by something other than Drover, and has been moved back to /,
    );
    const log = git(here.repository, 'log', '--first-parent', '--format=%s', `trunk..${GOAL}`);
    expect(log.split('\n')).toEqual(['task-2: two', 'task-1: one']);
    expect(await hear(here)).toMatchObject({ agrees: true });
  });

  it('the base branch, beside one named as a goal that there is none of', async () => {
    const here = await place();
    const before = git(here.repository, 'rev-parse', 'trunk');
    const move = `${COMMIT}; git push -q . HEAD:refs/heads/autonomous/goal-1000; git update-ref refs/heads/trunk HEAD`;
    const goal = await enqueue(here, first(here, move));
    expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 2 }]);
    expect(git(here.repository, 'rev-parse', 'trunk')).toBe(before);
    expect(git(here.repository, 'branch', '--list', 'autonomous/goal-1000')).toBe('');
  });

  it('nothing, where it goes to what a person has committed', async () => {
    const here = await place();
    const wait = `touch ${here.data}/here; until [ -e ${here.data}/go ]; do sleep 0.05; done`;
    const goal = await enqueue(
      here,
      `${wait}; ${IDENTITY}; git cherry-pick --ff trunk; echo 1 > one`,
    );
    await expect.poll(() => existsSync(join(here.data, 'here'))).toBe(true);
    writeFileSync(join(here.repository, 'three'), '3');
    git(here.repository, 'add', '.');
    git(here.repository, 'commit', '-qm', 'theirs');
    writeFileSync(join(here.data, 'go'), '');
    expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
  });

  it('a branch of its own: that is its business', async () => {
    const here = await place();
    const goal = await enqueue(
      here,
      `${COMMIT}; git branch feature; git push -q . HEAD:refs/heads/also`,
    );
    expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
    expect(failures(here)).toEqual([]);
  });

  it('nothing, while a person commits to the base branch and other tasks are merged', async () => {
    const here = await place();
    const wait = `touch ${here.data}/here; until [ -e ${here.data}/go ]; do sleep 0.05; done`;
    // Going to what the person has committed is not making it.
    const goal = await enqueue(
      here,
      `${COMMIT}; ${wait}; git checkout -q --detach trunk; git checkout -q -`,
      ...['a', 'b', 'c'].map((name) => `echo ${name} > ${name}`),
    );
    await expect.poll(() => existsSync(join(here.data, 'here'))).toBe(true);
    git(here.repository, 'commit', '-q', '--allow-empty', '-m', 'theirs');
    const theirs = git(here.repository, 'rev-parse', 'trunk');
    await expect.poll(() => here.drover.ledger.board.goal('goal-1')!.counts.DONE).toBe(3);
    writeFileSync(join(here.data, 'go'), '');
    const report = await goal.done();
    expect(report.tasks.map(({ state, claims }) => [state, claims])).toEqual(
      Array.from({ length: 4 }, () => ['DONE', 1]),
    );
    expect(git(here.repository, 'rev-parse', 'trunk')).toBe(theirs);
    expect(await hear(here)).toMatchObject({ agrees: true });
  });
});

describe('the base branch loses what it had', () => {
  /** Its commit, which is its second one. */
  function twoCommits({ repository }: Place): string {
    const tree = git(repository, 'rev-parse', 'trunk^{tree}');
    const second = git(repository, 'commit-tree', tree, '-p', 'trunk', '-m', 'second');
    git(repository, 'update-ref', 'refs/heads/trunk', second);
    return second;
  }
  const REMOVE = 'git update-ref -d refs/heads/trunk';
  const BACK = 'git update-ref refs/heads/trunk trunk~1';

  it.each([
    ['it is moved back', BACK, 'moved back to'],
    ['it is removed', REMOVE, 'removed'],
  ])('%s while it is checked out: it is put back', async (_, run, how) => {
    const here = await place();
    const before = twoCommits(here);
    await (await enqueue(here, `${first(here, run)}; echo 1 > one`)).done();
    expect(failures(here)).toMatchObject([
      { final: false, error: expect.stringMatching(`The branch trunk was ${how}.* again\\.`) },
    ]);
    expect(git(here.repository, 'rev-parse', 'trunk')).toBe(before);
    expect(git(here.repository, 'status', '--porcelain')).toBe('');
    expect(here.drover.ledger.board.goal('goal-1')!.state).toBe('DONE');
    expect(await hear(here)).toMatchObject({ agrees: true });
  });

  it.each([
    ['it is moved back', BACK, 'was moved to', 'git branch -f trunk'],
    ['it is removed', REMOVE, 'went away', 'git branch trunk'],
  ])('%s where nobody has it checked out: a person sees to it', async (_, run, how, remedy) => {
    const here = await place({ bare: true, settings: 'base: trunk\nland: auto\n' });
    const before = twoCommits(here);
    await (await enqueue(here, `${run}; echo 1 > one`)).done();
    expect(changesTold(here)).toMatchObject([{ kind: 'branch', name: 'trunk', was: before }]);
    const view = () => here.drover.ledger.board.goal('goal-1')!;
    await expect
      .poll(() => view().landingTrouble)
      .toContain(`While task-1 ran, the branch trunk ${how}`);
    expect(view().landingTrouble).toContain(`${remedy} ${before}`);
    git(here.repository, 'update-ref', 'refs/heads/trunk', before);
    expect(await hear(here)).toMatchObject({ agrees: true });
  });

  it('by a person, in a checkout of it: that is theirs', async () => {
    const here = await place();
    twoCommits(here);
    const back = `git -C ${here.repository} reset -q --hard trunk~1`;
    await (await enqueue(here, `${back}; echo 1 > one`)).done();
    expect(changesTold(here)).toEqual([]);
    expect(here.drover.ledger.board.goal('goal-1')!.tasks.get('task-1')!.claims).toBe(1);
  });
});

it('a goal’s branch that is moved once all is merged does not land', async () => {
  const here = await place();
  await (await enqueue(here, 'echo 1 > one')).done();
  const tip = git(here.repository, 'rev-parse', GOAL);
  const evil = git(here.repository, 'commit-tree', `${GOAL}^{tree}`, '-p', GOAL, '-m', 'evil');
  git(here.repository, 'update-ref', `refs/heads/${GOAL}`, evil);
  const report = await hear(here);
  expect(report.agrees).toBe(false);
  expect(report.disagreements).toContainEqual(
    expect.objectContaining({ goal: 'goal-1', field: 'branch', values: { log: tip, git: evil } }),
  );
  await here.drover.approve('goal-1');
  expect(here.drover.ledger.board.goal('goal-1')!.landingTrouble).toContain(
    `has been moved back to ${tip.slice(0, 12)}`,
  );
  await here.drover.approve('goal-1');
  await expect.poll(() => here.drover.ledger.board.goal('goal-1')!.landed).not.toBe(null);
  expect(git(here.repository, 'log', '--format=%s', 'trunk')).not.toContain('evil');
  expect(await hear(here)).toMatchObject({ agrees: true });
});

describe('what git would run changes while a task runs', () => {
  it.each([
    ['core.hooksPath', 'git config core.hooksPath "$PWD"', 'core.hookspath'],
    ['a filter', "git config filter.x.clean 'sh evil'", 'filter.x.clean'],
    ['an ssh command', 'git config core.sshCommand evil', 'core.sshcommand'],
    ['a configuration to include', 'git config include.path /tmp/evil', 'include.path'],
  ])(
    '%s: the work is taken, and does not land before a person has seen to it',
    async (_, run, key) => {
      const here = await place({ settings: 'land: auto\n' });
      const goal = await enqueue(here, `${run}; echo 1 > one`);
      expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
      expect(changesTold(here)).toMatchObject([{ kind: 'setting', name: key }]);
      const view = () => here.drover.ledger.board.goal('goal-1')!;
      await expect.poll(() => view().landingTrouble).not.toBeNull();
      expect(view().landingTrouble).toContain(`While task-1 ran, the setting ${key} in `);
      expect(view().landingTrouble).toContain(
        `git config --file ${here.repository}/.git/config --unset-all ${key}`,
      );
      expect(git(here.repository, 'log', '--format=%s', 'trunk')).not.toContain('goal-1');
      const report = await hear(here);
      expect(report.disagreements).toContainEqual(
        expect.objectContaining({ task: 'task-1', field: key, witnesses: ['log', 'git'] }),
      );
      git(here.repository, 'config', '--unset-all', key);
      expect(await hear(here)).toMatchObject({ agrees: true });
      await here.drover.approve('goal-1');
      await expect.poll(() => view().landed).not.toBeNull();
    },
  );

  it('by a person who means it: an approval is all it takes, and tasks beside it go on', async () => {
    const here = await place({ settings: 'land: auto\n' });
    const meet = join(here.data, 'meet');
    const wait = `until test -e ${meet}; do sleep 0.02; done`;
    const goal = await enqueue(here, `${wait}; echo 1 > one`, `${wait}; echo 2 > two`);
    await expect
      .poll(() => [...here.drover.ledger.log.events({ types: ['workspace.opened'] })].length)
      .toBe(2);
    git(here.repository, 'config', 'core.hooksPath', '.husky');
    writeFileSync(meet, '');
    expect((await goal.done()).tasks).toMatchObject([
      { state: 'DONE', claims: 1 },
      { state: 'DONE', claims: 1 },
    ]);
    const view = () => here.drover.ledger.board.goal('goal-1')!;
    await expect.poll(() => view().landingTrouble).not.toBeNull();
    expect(view().landingTrouble).toMatch(
      /^While task-\d, task-\d ran, the setting core\.hookspath/,
    );
    await here.drover.approve('goal-1');
    await expect.poll(() => view().landed).not.toBeNull();
    expect(await hear(here)).toMatchObject({ agrees: true });
  });

  it('at an attempt that fails by itself: it is told, and the next one begins with it', async () => {
    const here = await place();
    const evil = 'git config core.hooksPath /tmp/evil; echo it broke >&2; exit 1';
    await (await enqueue(here, first(here, evil))).done();
    expect(failures(here)).toMatchObject([{ final: false }]);
    expect(changesTold(here)).toMatchObject([{ name: 'core.hookspath', value: '/tmp/evil' }]);
    expect(here.drover.ledger.board.goal('goal-1')!.state).toBe('DONE');
  });

  it('a hook, through a worktree’s git folder', async () => {
    const here = await place();
    const hooks = '"$(git rev-parse --git-common-dir)/hooks/post-checkout"';
    await (await enqueue(here, `echo evil > ${hooks}; chmod +x ${hooks}; echo 1 > one`)).done();
    expect(changesTold(here)).toMatchObject([{ kind: 'hook', name: 'post-checkout' }]);
    // It waits for an approval anyway, and says what else there is to see to.
    const view = () => here.drover.ledger.board.goal('goal-1')!;
    await expect.poll(() => view().landingTrouble).toContain('the hook post-checkout in ');
    expect((await hear(here)).disagreements).toContainEqual(
      expect.objectContaining({ task: 'task-1', field: 'post-checkout' }),
    );
  });

  it('beside a check of another task: it is told of the task in whose time it came', async () => {
    const signs = bed.folder('signs');
    const until = (sign: string): string => `until [ -e ${signs}/${sign} ]; do sleep 0.02; done`;
    const check = `touch ${signs}/checking; ${until('changed')}`;
    const here = await place({ settings: `check: ['${check}']\n` });
    const change = `${until('checking')}; git config core.hooksPath evil`;
    const goal = await enqueue(here, 'echo 1 > one', `${change}; echo 2 > two`);
    await expect.poll(() => changesTold(here, 'task-2')).not.toEqual([]);
    writeFileSync(join(signs, 'changed'), '');
    expect((await goal.done()).state).toBe('DONE');
    expect(changesTold(here, 'task-2')).toMatchObject([{ name: 'core.hookspath', value: 'evil' }]);
    expect(changesTold(here)).toEqual([]);
  });

  it('beside a set-up that writes something else: the task is told what is not of that', async () => {
    const signs = bed.folder('signs');
    const until = (sign: string): string => `until [ -e ${signs}/${sign} ]; do sleep 0.02; done`;
    const setup = `git config filter.lfs.clean "lfs $PWD"`;
    const here = await place({ settings: `setup: ['${setup}']\n` });
    const evil = `touch ${signs}/begun; ${until('set-up')}; git config core.hooksPath evil`;
    const watched = await enqueue(here, `${evil}; echo 1 > one`);
    await expect.poll(() => existsSync(join(signs, 'begun'))).toBe(true);
    const beside = await enqueue(here, 'echo 2 > two');
    await beside.done();
    writeFileSync(join(signs, 'set-up'), '');
    await watched.done();
    expect(changesTold(here)).toMatchObject([{ name: 'core.hookspath', value: 'evil' }]);
    expect(changesTold(here, 'task-2')).toEqual([]);
  });

  it('and not what the set-up of another task writes beside it', async () => {
    const hook = '"$(git rev-parse --git-path hooks)/pre-commit"';
    const here = await place({ settings: `setup:\n  - 'echo "exec $PWD/check" > ${hook}'\n` });
    const goal = await enqueue(
      here,
      ...['a', 'b', 'c'].map((name) => `sleep 0.5; echo 1 > ${name}`),
    );
    const { tasks } = await goal.done();
    expect(tasks.map(({ state, claims }) => [state, claims])).toEqual(tasks.map(() => ['DONE', 1]));
  });

  it('and nothing else: names, remotes and what the set-up writes are no one’s harm', async () => {
    const here = await place({ settings: 'setup:\n  - git config core.hooksPath .husky\n' });
    const run = 'git remote add other ../x; git config alias.co checkout; echo 1 > one';
    const goal = await enqueue(here, `${IDENTITY}; ${run}`);
    expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
    expect(await hear(here)).toMatchObject({ agrees: true });
  });
});
