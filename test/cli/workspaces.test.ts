/** What a person does with projects, branches and worktrees from the command line. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { git } from '../support/git.js';
import { type Place, places, until } from './support.js';

const place = places();

/** Somebody's repository, with work under way in its checkout. */
function repositoryIn(here: Place, name: string): string {
  const dir = join(here.dir, name);
  git(here.dir, 'init', '-q', '-b', 'trunk', dir);
  writeFileSync(join(dir, 'readme'), 'theirs\n');
  git(dir, 'add', '.');
  git(dir, 'commit', '-qm', 'Begin');
  writeFileSync(join(dir, 'notes'), 'not committed\n');
  return dir;
}

const json = async (here: Place, args: string[]): Promise<Record<string, unknown>> => {
  const { out, code, err } = await here.drover([...args, '--json']);
  expect({ code, err }).toMatchObject({ code: 0 });
  return JSON.parse(out) as Record<string, unknown>;
};

const FLOW = `
name: Count
tasks:
  one: { run: echo 1 > one, check: test -s one }
  two: { run: echo 2 > two, needs: one }
  three: { run: cat one two > three, needs: two }
`;

describe('drover project', () => {
  it('adds repositories by path and URL, lists, shows and forgets them, and changes nothing in them', async () => {
    const here = await place();
    const dir = repositoryIn(here, 'shop');
    const refs = git(dir, 'for-each-ref');
    expect(
      await json(here, ['project', 'add', dir, '--check', 'true', '--link', 'a', '--link', 'b']),
    ).toMatchObject({
      name: 'shop',
      kind: 'checkout',
      base: 'trunk',
      settings: { check: [{ run: 'true' }], links: ['a', 'b'], land: 'approve' },
    });
    expect(
      await json(here, ['project', 'add', `file://${dir}`, '--name', 'far', '--land', 'auto']),
    ).toMatchObject({
      kind: 'remote',
      repository: `file://${dir}`,
      settings: { land: 'auto' },
    });
    const own = await here.drover(['project', 'new', 'notes']);
    expect(own).toMatchObject({ code: 0 });
    expect(existsSync(join(here.dir, 'projects', 'notes', '.git'))).toBe(true);
    const list = await here.drover(['project', 'list']);
    expect(list.out).toMatch(/far +registered[^]*notes +Drover's own[^]*shop +registered/);
    expect((await here.drover(['project', 'show', 'shop'])).out).toContain(
      'approve, by merge-commit',
    );
    expect(git(dir, 'status', '--porcelain')).toBe('?? notes');
    expect(git(dir, 'for-each-ref')).toBe(refs);

    expect(await json(here, ['project', 'remove', 'shop'])).toEqual({ removed: 'shop' });
    expect(existsSync(join(dir, 'readme'))).toBe(true);
    expect(await here.drover(['project', 'remove', 'shop'])).toMatchObject({ code: 2 });
    expect((await here.drover(['project', 'remove', 'notes'])).err).toContain("Drover's own");
  });

  it('says what is wrong, and leaves nothing behind', async () => {
    const here = await place();
    const dir = repositoryIn(here, 'shop');
    mkdirSync(join(here.dir, 'plain'));
    const wrong: [args: string[], says: RegExp][] = [
      [[join(here.dir, 'missing')], /There is no repository in .*missing/],
      [[join(here.dir, 'plain')], /is no git repository/],
      [[dir, '--base', 'release'], /no branch release/],
      [[dir, '--land', 'sometimes'], /land .*(auto|approve)/],
      [[dir, '--link', '../x'], /inside the project/],
      [[dir, '--name', 'not a name'], /cannot be a project's name/],
      [[`file://${join(here.dir, 'missing')}`, '--name', 'far'], /did not do what was asked/],
      [[dir, '--name', 'default'], /There is a project default/],
    ];
    for (const [args, says] of wrong) {
      const { code, err } = await here.drover(['project', 'add', ...args]);
      expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(says) });
    }
    writeFileSync(join(dir, 'drover.yaml'), 'check: 3\n');
    git(dir, 'add', 'drover.yaml');
    git(dir, 'commit', '-qm', 'Settings');
    expect((await here.drover(['project', 'add', dir])).err).toContain('drover.yaml:1:');
    expect(await json(here, ['project', 'list'])).toEqual({ projects: [] });
    expect(existsSync(join(here.data, 'repositories', 'far.git'))).toBe(false);
  });
});

describe('what `drover run` says of its landing', () => {
  it('is where it landed, that it waits for approval, or why it could not land', async () => {
    const here = await place();
    const dir = repositoryIn(here, 'shop');
    const flow = await here.flow(FLOW);
    await here.drover(['project', 'add', dir]);
    const waits = await here.drover(['run', flow, '--project', 'shop']);
    expect(waits).toMatchObject({ code: 0 });
    expect(waits.out).toMatch(/^Done! 3\/3 tasks complete in .*, not landed yet$/m);
    expect(waits.out).toMatch(/inbox .*what waits for a person/);

    const own = await here.drover(['run', flow, '--project', 'own']);
    expect(own).toMatchObject({ code: 0 });
    expect(own.out).toMatch(/^Done! 3\/3 tasks complete in .*, landed as [0-9a-f]{9}$/m);

    const up = here.start(['up', '--port', '0']);
    await up.says(/Bull Board/);
    const asked = await here.drover(['enqueue', flow, '--project', 'other', '--wait', '--json']);
    expect(JSON.parse(asked.out)).toMatchObject({ branch: { landed: expect.any(String) } });
    await here.drover(['down']);

    // What is not committed here stands in the way of the files.
    writeFileSync(join(dir, 'one'), 'theirs\n');
    await here.drover(['project', 'add', dir, '--name', 'auto', '--land', 'auto']);
    const hindered = await here.drover(['run', flow, '--project', 'auto']);
    expect(hindered).toMatchObject({ code: 3 });
    expect(hindered.out).toMatch(/^Done! 3\/3 .*, could not land: trunk is checked out/m);
  }, 120_000);
});

describe('a goal in somebody’s repository', () => {
  it('is seen, approved, landed and rolled back', { timeout: 180_000 }, async () => {
    const here = await place();
    const dir = repositoryIn(here, 'shop');
    await here.drover(['project', 'add', dir, '--check', 'test -s readme']);
    const up = here.start(['up', '--port', '0']);
    await up.says(/Bull Board/);
    const flow = await here.flow(FLOW);
    expect(await here.drover(['enqueue', flow, '--project', 'shop', '--wait'])).toMatchObject({
      code: 0,
    });

    expect(await json(here, ['inbox'])).toMatchObject({
      items: [{ kind: 'landing', id: 'goal-1', reason: 'is done and waits to land' }],
    });
    expect(await here.drover(['project', 'remove', 'shop'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('not over: goal-1'),
    });
    expect(await json(here, ['status', 'goal-1'])).toMatchObject({ branch: { landed: null } });
    expect(await json(here, ['diff', 'task-2'])).toMatchObject({
      of: 'merge',
      text: expect.stringContaining('+2'),
    });
    expect((await here.drover(['diff', 'goal-1', '--stat'])).out).toMatch(/three +\+2 +-0/);
    const drawn = (await here.drover(['graph', 'goal-1'])).out;
    expect(drawn).toMatch(/task-3[^]*task-2[^]*task-1 .*checked by test -s one[^]*start/);
    expect(drawn).toContain('not landed; `drover approve goal-1` lands it');

    const dry = await json(here, ['approve', 'goal-1', '--dry-run']);
    expect(dry).toMatchObject({
      base: 'trunk',
      checks: [{ task: 'task-1', check: 'test -s one' }],
      passed: ['test -s readme'],
    });
    const paths = ({ files }: Record<string, unknown>): string[] =>
      (files as { path: string }[]).map(({ path }) => path);
    expect(paths(dry)).toEqual(['STATE.yaml', 'one', 'three', 'two']);
    // The same goes there where somebody has committed meanwhile.
    git(dir, 'commit', '-q', '--allow-empty', '-m', 'theirs');
    expect(paths(await json(here, ['approve', 'goal-1', '--dry-run']))).toEqual(paths(dry));
    git(dir, 'reset', '-q', '--hard', 'HEAD~1');
    expect(await json(here, ['inbox'])).toMatchObject({ items: [{ kind: 'landing' }] });
    // Its STATE.yaml is kept up to date outside its repository.
    expect(await json(here, ['audit', '--wait', '30000'])).toMatchObject({
      agrees: true,
      notes: [],
    });
    writeFileSync(join(dir, 'readme'), 'changed\n');
    const refused = await here.drover(['approve', 'goal-1']);
    expect(refused.code).toBe(3);
    expect(refused.out).toMatch(
      /one +\+1 +-0[^]*did not land: trunk is checked out, and its files/,
    );
    expect(await json(here, ['inbox'])).toMatchObject({
      items: [{ kind: 'landing', reason: expect.stringContaining('did not land: trunk') }],
    });
    git(dir, 'checkout', '-q', 'readme');
    expect((await here.drover(['approve', 'goal-1'])).out).toContain('has landed in trunk as');
    expect(readFileSync(join(dir, 'three'), 'utf8')).toBe('1\n2\n');
    expect(await json(here, ['inbox'])).toEqual({ items: [] });
    expect(await here.drover(['approve', 'goal-1', '--dry-run'])).toMatchObject({ code: 2 });

    expect(
      await json(here, ['rollback', 'goal-1', '--to', 'task-1', '--why', 'wrong']),
    ).toMatchObject({
      tasks: ['task-2', 'task-3'],
      live: true,
    });
    await until(async () => (await json(here, ['status', 'goal-1']))['state'] === 'DONE');
    const after = (await here.drover(['graph', 'goal-1'])).out;
    expect(after).toMatch(
      /Rolled back, kept as refs\/drover\/rolled-back\/goal-1\.1:[^]*task-3[^]*task-2/,
    );
    expect(await here.drover(['rollback', 'goal-1', '--to', 'task-9'])).toMatchObject({ code: 2 });
    expect(await here.drover(['diff', 'task-77'])).toMatchObject({ code: 2 });
    up.child.kill('SIGTERM');
    await up.ended;
  });
});

describe('drover worktrees and prune', () => {
  it('tells what is in use and what can go, and removes nothing that is not safe', async () => {
    const here = await place();
    const dir = repositoryIn(here, 'shop');
    await here.drover(['project', 'add', dir]);
    const up = here.start(['up', '--port', '0']);
    await up.says(/Bull Board/);
    const go = join(here.dir, 'go');
    const flow = await here.flow(
      `name: Hold\ntasks:\n  hold: { run: "echo work > work; while test -d ${here.dir} && ! test -e ${go}; do sleep 0.05; done" }\n`,
    );
    await here.drover(['enqueue', flow, '--project', 'shop']);
    const work = join(here.data, 'worktrees', 'shop', 'task-1.1', 'work');
    await until(() => existsSync(work));
    expect(await json(here, ['worktrees'])).toMatchObject({
      worktrees: [
        { name: 'task-1.1', project: 'shop', task: 'task-1', state: 'in-use', isSafe: false },
      ],
      problems: [],
    });
    expect((await here.drover(['worktrees'])).out).toMatch(/task-1\.1 +shop +goal-1 .*in-use/);
    expect((await here.drover(['graph', 'goal-1'])).out).toMatch(/Under way:\n.*task-1 +claim 1/);
    expect(await json(here, ['prune'])).toMatchObject({
      removed: [],
      kept: [{ name: 'task-1.1' }],
    });
    up.child.kill('SIGKILL');
    await up.ended;
    // Nobody works in it any more, and nothing but the folder has the work.
    expect(await json(here, ['worktrees'])).toMatchObject({
      worktrees: [{ state: 'dirty', reason: 'It has work that no reference keeps.' }],
    });
    git(dir, 'update-ref', 'refs/heads/aside', 'trunk');
    expect(await json(here, ['prune', '--dry-run'])).toMatchObject({ wouldRemove: [] });
    await here.drover(['prune']);
    expect(readFileSync(work, 'utf8')).toBe('work\n');
    writeFileSync(go, '');
  });

  it('goes on with other projects where one cannot be reached', async () => {
    const here = await place();
    const dir = repositoryIn(here, 'shop');
    await here.drover(['project', 'add', dir]);
    await here.drover(['project', 'new', 'notes']);
    const gone = join(here.dir, 'projects', 'gone.yaml');
    writeFileSync(gone, `repository: ${join(here.dir, 'nowhere')}\n`);
    const { code, out } = await here.drover(['prune', '--dry-run', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      wouldRemove: [],
      problems: [{ project: 'gone', problem: expect.stringContaining('no repository') }],
    });
  });
});
