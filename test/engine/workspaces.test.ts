import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/engine/audit/audit.js';
import { WORK_STEP } from '../../src/core/events.js';
import type { Drover, TaskContext } from '../../src/index.js';
import { parseState } from '../../src/projections/state-file.js';
import { journalKey } from '../../src/queues/keys.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

function git(dir: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: dir, encoding: 'utf8' }).trim();
}

async function engine(): Promise<{ drover: Drover; data: string; repository: string }> {
  const data = bed.folder();
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  await drover.agent('shell', 'shell', { concurrency: 8 });
  return { drover, data, repository: join(data, 'projects', 'shop') };
}

const shell = (name: string, run: string, more: object = {}) => ({
  name,
  capability: 'shell',
  run,
  ...more,
});

const eventsOf = (drover: Drover, task: string) =>
  [...drover.ledger.log.events({ task })].map(({ event }) => event);

/** A step that leaves a file, and is not run again once it is finished. */
async function writeInStep(task: TaskContext): Promise<void> {
  await task.step('write', async () => {
    const { dir } = await task.workspace();
    writeFileSync(join(dir, 'step.txt'), 'written\n');
  });
}

describe('tasks with files', () => {
  it('fails with what helps where there cannot be any', async () => {
    const { drover, repository } = await engine();
    mkdirSync(repository, { recursive: true });
    writeFileSync(join(repository, 'notes.txt'), 'somebody’s');
    const tasks = [shell('one', 'true')];
    const goal = await drover.enqueue({ title: 'No repository', project: 'shop', tasks });
    const helps = expect.stringMatching(
      /has files but is no git repository\. Run `git init` there/,
    );
    expect(await goal.done()).toMatchObject({ state: 'SETTLED', tasks: [{ error: helps }] });
    expect(eventsOf(drover, 'task-1')).toContainEqual(
      expect.objectContaining({ type: 'attempt.failed', error: helps }),
    );
  });

  it('works on branches of their own, and merges what was checked as it is merged', async () => {
    const { drover, data, repository } = await engine();
    const goal = await drover.enqueue({
      title: 'Build a shop',
      project: 'shop',
      tasks: [
        shell('cart', 'echo cart > cart.txt', { check: { run: 'grep -q cart cart.txt' } }),
        shell('till', 'echo till > till.txt'),
        shell('both', 'cat cart.txt till.txt > both.txt', { needs: ['cart', 'till'] }),
      ],
    });
    const report = await goal.done();
    expect(report.state).toBe('DONE');
    expect(git(repository, 'show', 'autonomous/goal-1:both.txt')).toBe('cart\ntill');
    const [cart] = report.tasks;
    const merged = eventsOf(drover, cart!.id).find(({ type }) => type === 'task.merged');
    const check = eventsOf(drover, cart!.id).find(({ type }) => type === 'check.finished');
    expect(check).toMatchObject({ passed: true, command: 'grep -q cart cart.txt' });
    const commit = merged?.type === 'task.merged' ? merged.commit : '';
    const message = git(repository, 'log', '-1', '--format=%B', commit);
    expect(message).toContain('Drover-Task: task-1\nDrover-Claim: 1\nDrover-Goal: goal-1');
    const state = parseState(git(repository, 'show', `${commit}:STATE.yaml`));
    expect(state.goals['goal-1']!.tasks!['task-1']).toMatchObject({ state: 'DONE' });
    // Nothing is left behind: no worktree, no task's branch, no claim.
    expect(readdirSync(join(data, 'worktrees', 'shop'))).toEqual([]);
    expect(git(repository, 'for-each-ref', '--format=%(refname)', 'refs/drover/claims')).toBe('');
    expect(git(repository, 'branch', '--list', 'autonomous/task-*')).toBe('');
  });

  it('merges what a step left that is not run again, also where nobody asks for the files any more', async () => {
    const { drover, repository } = await engine();
    await drover.agent('writer', async (task) => {
      await writeInStep(task);
      if (task.attempt === 1) throw new Error('as planned');
      return 'done';
    });
    const retry = { attempts: 2, backoff: { type: 'fixed' as const, delay: 1, jitter: 0 } };
    const goal = await drover.enqueue({
      title: 'Steps',
      project: 'shop',
      tasks: [{ name: 'one', capability: 'writer', retry }],
    });
    expect((await goal.done()).state).toBe('DONE');
    expect(git(repository, 'show', 'autonomous/goal-1:step.txt')).toBe('written');
  });

  it('merges what a kept step left of a task that is run again before it was merged', async () => {
    const { drover, repository } = await engine();
    await drover.agent('writer', async (task) => {
      await writeInStep(task);
      if (task.claim === 1) throw new Error('as planned');
      if (task.claim === 3) writeFileSync(join((await task.workspace()).dir, 'more.txt'), 'more\n');
      return 'done';
    });
    const goal = await drover.enqueue({
      title: 'Steps',
      project: 'shop',
      tasks: [{ name: 'one', capability: 'writer', retry: { attempts: 1 } }],
    });
    expect((await goal.done()).state).toBe('SETTLED');
    await drover.rerun('task-1', { keepSteps: true });
    expect((await goal.done()).state).toBe('DONE');
    expect(git(repository, 'show', 'autonomous/goal-1:step.txt')).toBe('written');
    // Now that it is merged there is only what the handler does besides.
    await drover.rerun('task-1', { keepSteps: true });
    expect((await goal.done()).state).toBe('DONE');
    expect(git(repository, 'show', 'autonomous/goal-1:step.txt')).toBe('written');
    expect(git(repository, 'show', 'autonomous/goal-1:more.txt')).toBe('more');
    const { log } = drover.ledger;
    expect((await audit({ log, running: true })).disagreements).toEqual([]);
  });

  it('merges all that steps left of which Redis has forgotten the last', async () => {
    const data = bed.folder();
    const options = { dataDir: data, projectsDir: join(data, 'projects') };
    const before = await bed.start(options);
    const work = async (task: TaskContext) => {
      for (const name of ['first', 'second']) {
        await task.step(name, async () => {
          writeFileSync(join((await task.workspace()).dir, name), `${name}\n`);
          return null;
        });
      }
      if (task.claim === 1) throw new Error('as planned');
      return 'done';
    };
    await before.agent('writer', async (task) => {
      // Nothing of the second attempt before Redis has forgotten.
      if (task.claim > 1)
        await expect.poll(() => task.signal.aborted, { timeout: 60_000 }).toBe(true);
      task.signal.throwIfAborted();
      return work(task);
    });
    const retry = { attempts: 2, backoff: { type: 'fixed' as const, delay: 1, jitter: 0 } };
    const tasks = [{ name: 'one', capability: 'writer', retry }];
    const { id } = await before.enqueue({ title: 'Steps', project: 'shop', tasks });
    for await (const { event } of before.goal(id).events())
      if (event.type === 'attempt.failed') break;
    const [early] = eventsOf(before, 'task-1').flatMap((event) =>
      event.type === 'step.done' && event.step === WORK_STEP ? [event.result] : [],
    );
    const { client } = before.connection;
    const journal = journalKey(before.prefix, 'task-1');
    expect(await client.hdel(journal, 'second')).toBe(1);
    await client.hset(journal, WORK_STEP, JSON.stringify(early));
    await before.close({ force: true });
    const after = await bed.start({ ...options, prefix: before.prefix });
    await after.agent('writer', work);
    expect((await after.goal(id).done()).state).toBe('DONE');
    const repository = join(data, 'projects', 'shop');
    expect(git(repository, 'show', 'autonomous/goal-1:second')).toBe('second');
  });

  it('fails where what steps left conflicts with the goal’s branch: they would be done without it', async () => {
    const { drover, repository } = await engine();
    const meet = bed.folder('steps');
    await drover.agent('writer', async (task) => {
      await task.step('write', async () => {
        const { dir } = await task.workspace();
        writeFileSync(join(dir, 'same.txt'), `${task.name}\n`);
        writeFileSync(join(meet, task.name), '');
        await expect.poll(() => readdirSync(meet).length, { timeout: 30_000 }).toBe(2);
        return null;
      });
      return 'done';
    });
    const retry = { attempts: 2, backoff: { type: 'fixed' as const, delay: 1, jitter: 0 } };
    const goal = await drover.enqueue({
      title: 'Steps',
      project: 'shop',
      tasks: ['one', 'two'].map((name) => ({ name, capability: 'writer', retry })),
    });
    const { state, tasks } = await goal.done();
    expect(state).toBe('SETTLED');
    const done = tasks.find((task) => task.state === 'DONE');
    const failed = tasks.find((task) => task.state === 'FAILED');
    expect(failed!.error).toMatch(/finished steps of task-\d left .* same\.txt.*--from-scratch/s);
    expect(git(repository, 'show', 'autonomous/goal-1:same.txt')).toBe(done!.name);
    await drover.retry(failed!.id, undefined, { fromScratch: true });
    expect((await goal.done()).state).toBe('DONE');
    expect(git(repository, 'show', 'autonomous/goal-1:same.txt')).toBe(failed!.name);
  });

  it('gives a conflict to the next attempt, which starts from the present tip', async () => {
    const { drover, repository } = await engine();
    const meet = bed.folder('meet');
    // All three begin from the same tip: none goes on before each of them has its worktree.
    const all = `until [ -e ${meet}/a ] && [ -e ${meet}/b ] && [ -e ${meet}/c ]; do sleep 0.02; done`;
    const add = (line: string): string =>
      `grep -q "^${line}$" list || { touch ${meet}/${line}; ${all}; echo ${line} >> list; }`;
    const goal = await drover.enqueue({
      title: 'A list',
      project: 'shop',
      tasks: ['a', 'b', 'c'].map((line) =>
        shell(line, add(line), { retry: { attempts: 5, backoff: { type: 'fixed', delay: 10 } } }),
      ),
    });
    expect((await goal.done()).state).toBe('DONE');
    const list = git(repository, 'show', 'autonomous/goal-1:list').split('\n');
    expect(list.toSorted()).toEqual(['a', 'b', 'c']);
    const failures = ['task-1', 'task-2', 'task-3'].flatMap((task) =>
      eventsOf(drover, task).filter(({ type }) => type === 'attempt.failed'),
    );
    expect(failures.length).toBeGreaterThan(0);
    expect(JSON.stringify(failures)).toContain('conflicts with what was merged meanwhile, in list');
  });

  it('finds the task whose work breaks the checks together with others', async () => {
    const { drover, repository, data } = await engine();
    const once = { retry: { attempts: 1 } };
    const goal = await drover.enqueue({
      title: 'Numbers',
      project: 'shop',
      tasks: [
        shell(
          'rule',
          'echo "! grep -rqs bad numbers" > check.sh; mkdir numbers; touch numbers/zero',
        ),
        shell('one', 'echo 1 > numbers/one', {
          ...once,
          needs: ['rule'],
          check: { run: 'sh check.sh' },
        }),
        shell('bad', 'echo bad > numbers/bad', {
          ...once,
          needs: ['rule'],
          check: { run: 'sh check.sh' },
        }),
        shell('two', 'echo 2 > numbers/two', {
          ...once,
          needs: ['rule'],
          check: { run: 'sh check.sh' },
        }),
      ],
    });
    const report = await goal.done();
    expect(report.tasks.map(({ name, state }) => [name, state])).toEqual([
      ['rule', 'DONE'],
      ['one', 'DONE'],
      ['bad', 'FAILED'],
      ['two', 'DONE'],
    ]);
    expect(git(repository, 'ls-tree', '--name-only', 'autonomous/goal-1:numbers')).toBe(
      'one\ntwo\nzero',
    );
    // What did not get in is kept.
    const kept = git(repository, 'for-each-ref', '--format=%(refname)', 'refs/drover/kept');
    expect(kept).toBe('refs/drover/kept/task-3.1');
    expect(existsSync(join(data, 'worktrees', 'shop', 'task-3.1'))).toBe(false);
  });

  it('has nothing to do with git where no files are asked for', async () => {
    const { drover, data } = await engine();
    await drover.agent('thinker', () => 42);
    const goal = await drover.enqueue({
      title: 'Think',
      project: 'thoughts',
      tasks: [{ name: 'think', capability: 'thinker' }],
    });
    expect((await goal.done()).state).toBe('DONE');
    expect(eventsOf(drover, 'task-1').map(({ type }) => type)).not.toContain('workspace.opened');
    expect(existsSync(join(data, 'worktrees'))).toBe(false);
  });

  it('gives a function its files too, and keeps those of finished steps over a failed attempt', async () => {
    const { drover, repository } = await engine();
    const ran: string[] = [];
    await drover.agent('writer', async (task) => {
      const { dir } = await task.workspace();
      await task.step('first', () => {
        ran.push('first');
        writeFileSync(join(dir, 'first.txt'), 'first\n');
        return null;
      });
      expect(existsSync(join(dir, 'first.txt'))).toBe(true);
      if (task.attempt === 1) throw new Error('half way');
      writeFileSync(join(dir, 'second.txt'), 'second\n');
    });
    const goal = await drover.enqueue({
      title: 'Write',
      project: 'shop',
      tasks: [
        {
          name: 'write',
          capability: 'writer',
          retry: { attempts: 2, backoff: { type: 'fixed', delay: 10 } },
        },
      ],
    });
    expect((await goal.done()).state).toBe('DONE');
    expect(ran).toEqual(['first']);
    expect(git(repository, 'ls-tree', '--name-only', 'autonomous/goal-1')).toContain(
      'first.txt\nsecond.txt',
    );
  });
});

describe('a finished goal', () => {
  const TASKS = [
    shell('one', 'echo 1 > one'),
    shell('two', 'echo 2 > two', { needs: ['one'] }),
    shell('three', 'cat one two > three', { needs: ['two'] }),
  ];

  it('lands by itself in a repository of Drover’s own', async () => {
    const { drover, repository } = await engine();
    await (await drover.enqueue({ title: 'Count', project: 'shop', tasks: TASKS })).done();
    await expect.poll(() => drover.ledger.board.goal('goal-1')!.landed).not.toBeNull();
    expect(readFileSync(join(repository, 'three'), 'utf8')).toBe('1\n2\n');
    expect(git(repository, 'status', '--porcelain', 'one', 'two', 'three')).toBe('');
    await drover.close();
    expect(git(repository, 'status', '--porcelain')).toBe('');
  });

  it('lands beside others in one checkout, whose files and index are those of the branch', async () => {
    const { drover, repository } = await engine();
    const goals = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) =>
        drover.enqueue({
          title: name,
          project: 'shop',
          tasks: [shell(name, `echo ${name} > ${name}`)],
        }),
      ),
    );
    for (const goal of goals) await goal.done();
    for (const { id } of goals) {
      await expect.poll(() => drover.ledger.board.goal(id)!.landed).not.toBeNull();
    }
    await drover.close();
    expect(git(repository, 'status', '--porcelain')).toBe('');
    expect(git(repository, 'ls-files')).toContain('a\nb\nc\nd');
    expect(readdirSync(join(repository, 'tasks'))).toHaveLength(4);
  });

  it('lands in somebody’s repository when it is approved, and where that is clean', async () => {
    const data = bed.folder();
    const repository = bed.folder('theirs');
    git(repository, 'init', '-q', '-b', 'trunk');
    writeFileSync(join(repository, 'readme'), 'theirs\n');
    git(repository, 'add', '.');
    git(repository, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'first');
    mkdirSync(join(data, 'projects'));
    writeFileSync(join(data, 'projects', 'shop.yaml'), `repository: ${repository}\n`);
    const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
    await drover.agent('shell', 'shell');
    const tasks = [shell('one', 'cat readme > one; echo more >> readme')];
    await (await drover.enqueue({ title: 'Count', project: 'shop', tasks })).done();
    expect(git(repository, 'status', '--porcelain')).toBe('');
    expect(existsSync(join(repository, 'one'))).toBe(false);

    writeFileSync(join(repository, 'readme'), 'changed\n');
    await drover.approve('goal-1', 'looks good');
    const { landed, landingTrouble } = drover.ledger.board.goal('goal-1')!;
    expect({ landed, landingTrouble }).toEqual({
      landed: null,
      landingTrouble: expect.stringMatching(
        /^trunk is checked out, and .* changes that are not committed: commit or stash them\. \(readme\)/,
      ),
    });
    expect(readFileSync(join(repository, 'readme'), 'utf8')).toBe('changed\n');

    git(repository, 'checkout', '-q', 'readme');
    await drover.approve('goal-1');
    expect(drover.ledger.board.goal('goal-1')!.landed).toBe(git(repository, 'rev-parse', 'trunk'));
    expect(readFileSync(join(repository, 'readme'), 'utf8')).toBe('theirs\nmore\n');
    const state = parseState(git(repository, 'show', 'trunk:STATE.yaml'));
    expect(state.goals['goal-1']).toMatchObject({ state: 'DONE', title: 'Count' });
    await expect(drover.approve('goal-1')).rejects.toMatchObject({ code: 'conflict' });

    const run = 'echo theirs too > readme';
    await (
      await drover.enqueue({ title: 'Again', project: 'shop', tasks: [shell('two', run)] })
    ).done();
    writeFileSync(join(repository, 'readme'), 'a person’s\n');
    git(repository, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qam', 'second');
    await drover.approve('goal-2');
    const words =
      /in readme\. Merge autonomous\/goal-2 into trunk by hand, .* approve goal-2 again/;
    expect(drover.ledger.board.goal('goal-2')!.landingTrouble).toMatch(words);
  });

  it('is rolled back to a task: branch, log and queue agree, and the rest runs again', async () => {
    const { drover, repository } = await engine();
    const goal = await drover.enqueue({ title: 'Count', project: 'shop', tasks: TASKS });
    await goal.done();
    await expect.poll(() => drover.ledger.board.goal('goal-1')!.landed).not.toBeNull();
    const before = git(repository, 'rev-parse', 'autonomous/goal-1');
    const { commit, tasks } = await drover.rollback('goal-1', 'task-1', 'start over');
    expect(tasks).toEqual(['task-2', 'task-3']);
    expect(git(repository, 'rev-parse', 'refs/drover/rolled-back/goal-1.1')).toBe(before);
    const report = await drover.goal('goal-1').done();
    expect(report.state).toBe('DONE');
    const [one, two, three] = report.tasks;
    expect([one!.claims, two!.claims, three!.claims]).toEqual([1, 2, 2]);
    const line = git(repository, 'log', '--first-parent', '--format=%H', 'autonomous/goal-1');
    expect(line.split('\n')).toContain(commit);
    expect(line.split('\n')).not.toContain(before);
    expect(git(repository, 'show', 'autonomous/goal-1:three')).toBe('1\n2');
    await expect(drover.rollback('goal-1', 'abcdef12')).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});
