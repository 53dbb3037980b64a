/** A finished goal's branch is pushed for a pull request, also again after a rollback, and never over somebody else's commits. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { git } from '../support/git.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

it('lands again after a rollback, with what it pushed before replaced', async () => {
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
  const task = (name: string, ...needs: string[]) => ({
    name,
    capability: 'shell',
    run: `echo ${name} > ${name}`,
    needs,
  });
  await drover.enqueue({ title: 'Count', project: 'shop', tasks: [task('a'), task('b', 'a')] });
  const view = () => drover.ledger.board.goal('goal-1')!;
  const pushed = async (): Promise<string> => {
    await drover.goal('goal-1').done();
    await expect.poll(() => view().pushed, { timeout: 20_000 }).not.toBe(null);
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
  await expect.poll(() => view().landingTrouble, { timeout: 20_000 }).toContain('has commits');
  expect(git(origin, 'log', '-1', '--format=%s', 'drover/goal-1')).toBe('By a reviewer');
});
