/** A goal lands in a base branch that moved meanwhile only where the project's checks pass on exactly what it becomes. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Drover } from '../../src/index.js';
import { git } from '../support/git.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

function commit(dir: string, path: string, text: string): string {
  writeFileSync(join(dir, path), text);
  git(dir, 'add', path);
  git(dir, 'commit', '-qm', `Write ${path}`);
  return git(dir, 'rev-parse', 'HEAD');
}

interface Place {
  readonly data: string;
  readonly repository: string;
  /** Each run of a check adds a line. */
  readonly runs: () => number;
}

/** Somebody's repository, whose check fails where both `one` and `poison` are. */
function place(settings = '', check = ''): Place {
  const data = bed.folder();
  const repository = bed.folder('theirs');
  const runs = join(data, 'runs');
  git(repository, 'init', '-q', '-b', 'trunk');
  commit(repository, 'readme', 'theirs\n');
  mkdirSync(join(data, 'projects'));
  const command = `echo >> ${runs}; ${check} if [ -e one ] && [ -e poison ]; then echo both are here; exit 3; fi`;
  writeFileSync(
    join(data, 'projects', 'shop.yaml'),
    `repository: ${repository}\ncheck: [${JSON.stringify(command)}]\n${settings}`,
  );
  return {
    data,
    repository,
    runs: () => (existsSync(runs) ? readFileSync(runs, 'utf8').length : 0),
  };
}

const start = ({ data }: Place): Promise<Drover> =>
  bed.start({
    dataDir: data,
    projectsDir: join(data, 'projects'),
    prefix: `checks${data.slice(-6)}`,
  });

async function finished(drover: Drover): Promise<void> {
  await drover.agent('shell', 'shell');
  const tasks = [{ name: 'one', capability: 'shell', run: 'echo 1 > one' }];
  const goal = await drover.enqueue({ title: 'Count', project: 'shop', tasks });
  expect((await goal.done()).state).toBe('DONE');
}

const viewOf = (drover: Drover) => drover.ledger.board.goal('goal-1')!;

/** The checks of landings: those of no task. */
const checksOf = (drover: Drover) =>
  [...drover.ledger.log.events({ goal: 'goal-1', types: ['check.finished'] })].flatMap(
    ({ task, event }) => (task === undefined && event.type === 'check.finished' ? [event] : []),
  );

describe('landing on a base branch', () => {
  it('that has not moved runs no check again', async () => {
    const here = place();
    const drover = await start(here);
    await finished(drover);
    expect(here.runs()).toBe(1);
    await drover.approve('goal-1');
    expect(viewOf(drover).landed).toBe(git(here.repository, 'rev-parse', 'trunk'));
    expect([here.runs(), checksOf(drover)]).toEqual([1, []]);
  });

  for (const merge of ['merge-commit', 'fast-forward']) {
    it(`that moved is refused where the checks fail on both, and lands what they passed on (${merge})`, async () => {
      const here = place(`merge: ${merge}\n`);
      const drover = await start(here);
      await finished(drover);
      const theirs = commit(here.repository, 'poison', 'x\n');
      await drover.approve('goal-1');
      await expect.poll(() => viewOf(drover).landingTrouble).not.toBeNull();
      const { landed, landingTrouble, approved } = viewOf(drover);
      expect({ landed, approved }).toEqual({ landed: null, approved: false });
      expect(landingTrouble).toMatch(
        /^The check .* ended with 3: both are here\nThat is on trunk and /,
      );
      expect(landingTrouble).toContain('approve goal-1 again');
      expect(git(here.repository, 'rev-parse', 'trunk')).toBe(theirs);
      const [red] = checksOf(drover);
      expect(red).toMatchObject({ passed: false, exitCode: 3, output: 'both are here\n' });
      // It ran on both together.
      const tree = git(here.repository, 'ls-tree', '--name-only', red!.commit!).split('\n');
      expect(tree).toEqual(expect.arrayContaining(['one', 'poison', 'readme']));

      git(here.repository, 'mv', 'poison', 'cure');
      git(here.repository, 'commit', '-qm', 'Mend it');
      await drover.approve('goal-1');
      await expect.poll(() => viewOf(drover).landed).not.toBeNull();
      const green = checksOf(drover).at(-1);
      expect(green).toMatchObject({ passed: true, commit: viewOf(drover).landed });
      expect(git(here.repository, 'rev-parse', 'trunk')).toBe(green!.commit);
      expect(git(here.repository, 'status', '--porcelain')).toBe('');
      expect(readdirSync(join(here.data, 'worktrees', 'shop'))).toEqual([]);
    });
  }

  /** A goal whose checks run on a base branch that has moved, until there is a file `go`. */
  async function checking() {
    const go = join(bed.folder('go'), 'go');
    const here = place('', `if [ -e moved ]; then until [ -e ${go} ]; do sleep 0.05; done; fi;`);
    const drover = await start(here);
    await finished(drover);
    commit(here.repository, 'moved', 'x\n');
    // An approval is answered before the checks have ended.
    await drover.approve('goal-1');
    await expect.poll(here.runs).toBe(2);
    return { drover, here, go };
  }

  it('is checked anew where that moves while the checks run, and holds nothing else up', async () => {
    const { drover, here, go } = await checking();
    expect(viewOf(drover).landed).toBeNull();
    commit(here.repository, 'again', 'x\n');
    writeFileSync(go, '');
    await expect.poll(() => viewOf(drover).landed).not.toBeNull();
    expect(checksOf(drover).map(({ passed }) => passed)).toEqual([true, true]);
    expect(checksOf(drover)[1]!.commit).toBe(git(here.repository, 'rev-parse', 'trunk'));
    expect(git(here.repository, 'ls-files').split('\n')).toEqual(
      expect.arrayContaining(['again', 'moved', 'one']),
    );
  });

  it('is checked by the next supervisor where one was stopped meanwhile', async () => {
    const { drover, here, go } = await checking();
    await drover.close({ force: true });
    writeFileSync(go, '');
    const next = await start(here);
    await expect.poll(() => viewOf(next).landed).not.toBeNull();
    expect(checksOf(next)).toHaveLength(1);
  });

  it('is given up where the goal is rolled back while the checks run', async () => {
    const go = join(bed.folder('go'), 'go');
    const here = place('', `if [ -e moved ]; then until [ -e ${go} ]; do sleep 0.05; done; fi;`);
    const drover = await start(here);
    await finished(drover);
    const theirs = commit(here.repository, 'moved', 'x\n');
    await drover.approve('goal-1');
    await expect.poll(here.runs).toBe(2);
    const begin = git(here.repository, 'rev-parse', 'refs/drover/goals/goal-1');
    await drover.rollback('goal-1', begin, 'not this way');
    expect((await drover.goal('goal-1').done()).state).toBe('DONE');
    expect(git(here.repository, 'rev-parse', 'trunk')).toBe(theirs);
    expect(checksOf(drover)).toEqual([]);
    expect(viewOf(drover)).toMatchObject({ landed: null, landingTrouble: null, approved: false });
    rmSync(go, { force: true });
  });
});
