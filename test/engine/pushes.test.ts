/** A finished goal's branch is pushed for a pull request, also again after a rollback, and never over somebody else's commits. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { git } from '../support/git.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

/** Somebody's repository whose finished goals are pushed, and where to. */
async function place() {
  const [data, repository, origin] = [bed.folder(), bed.folder('theirs'), bed.folder('origin')];
  git(origin, 'init', '-q', '--bare');
  git(repository, 'init', '-q', '-b', 'trunk');
  git(repository, 'commit', '-q', '--allow-empty', '-m', 'Begin');
  git(repository, 'remote', 'add', 'origin', origin);
  mkdirSync(join(data, 'projects'));
  const registration = `repository: ${repository}\npush: drover/{goal}\n`;
  writeFileSync(join(data, 'projects', 'shop.yaml'), registration);
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  await drover.agent('shell', 'shell');
  return { data, repository, origin, drover };
}

const task = (name: string, ...needs: string[]) => ({
  name,
  capability: 'shell',
  run: `echo ${name} > ${name}`,
  needs,
});

it('replaces also what it pushed without being told that it got there', async () => {
  const { repository, origin, drover } = await place();
  const hook = join(origin, 'hooks', 'pre-receive');
  writeFileSync(hook, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  await drover.enqueue({ title: 'Count', project: 'shop', tasks: [task('a'), task('b', 'a')] });
  await drover.goal('goal-1').done();
  const view = () => drover.ledger.board.goal('goal-1')!;
  await expect.poll(() => view().landingTrouble).not.toBe(null);
  rmSync(hook);
  // As a supervisor leaves it that was killed before it could tell.
  git(repository, 'push', '-q', 'origin', 'autonomous/goal-1:refs/heads/drover/goal-1');
  expect(view().pushed).toBe(null);
  await drover.rollback('goal-1', 'task-1', 'again');
  await drover.goal('goal-1').done();
  await expect.poll(() => view().pushed).not.toBe(null);
  expect(git(origin, 'rev-parse', 'drover/goal-1')).toBe(view().pushed);
});

it('lands again after a rollback, with what it pushed before replaced', async () => {
  const { data, repository, origin, drover } = await place();
  await drover.enqueue({ title: 'Count', project: 'shop', tasks: [task('a'), task('b', 'a')] });
  const view = () => drover.ledger.board.goal('goal-1')!;
  const pushed = async (): Promise<string> => {
    await drover.goal('goal-1').done();
    await expect.poll(() => view().pushed).not.toBe(null);
    expect(git(origin, 'rev-parse', 'drover/goal-1')).toBe(view().pushed);
    expect(view().pushed).toBe(git(repository, 'rev-parse', 'autonomous/goal-1'));
    return view().pushed!;
  };
  const first = await pushed();
  await drover.approve('goal-1');
  expect(view().landed).not.toBe(null);

  await drover.rollback('goal-1', 'task-1', 'again');
  const second = await pushed();
  expect(second).not.toBe(first);
  await drover.approve('goal-1');
  expect(view()).toMatchObject({ landed: expect.any(String), landingTrouble: null });

  const clone = join(bed.folder('clone'), 'clone');
  git(data, 'clone', '-q', '-b', 'drover/goal-1', origin, clone);
  git(clone, 'commit', '-q', '--allow-empty', '-m', 'By a reviewer');
  git(clone, 'push', '-q');
  await drover.rollback('goal-1', 'task-1', 'and again');
  await drover.goal('goal-1').done();
  await expect.poll(() => view().landingTrouble).toContain('has commits');
  expect(git(origin, 'log', '-1', '--format=%s', 'drover/goal-1')).toBe('By a reviewer');
});

it('pushes nothing where all of the goal’s branch is gone, and says so', async () => {
  const { repository, origin, drover } = await place();
  git(repository, 'remote', 'remove', 'origin');
  await (await drover.enqueue({ title: 'Count', project: 'shop', tasks: [task('a')] })).done();
  const trouble = () => drover.ledger.board.goal('goal-1')!.landingTrouble;
  await expect.poll(trouble).toContain('no remote named origin');
  git(repository, 'remote', 'add', 'origin', origin);
  for (const ref of ['heads/autonomous', 'drover/goals', 'drover/tips'])
    git(repository, 'update-ref', '-d', `refs/${ref}/goal-1`);
  await drover.approve('goal-1');
  await expect
    .poll(trouble)
    .toContain('autonomous/goal-1 is not in the repository of project shop');
  expect([...drover.ledger.log.events({ goal: 'goal-1' })].at(-1)!.event.type).toBe(
    'landing.refused',
  );
  expect(git(origin, 'for-each-ref')).toBe('');
});
