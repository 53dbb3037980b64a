/** A repository in which something else has branches of the same names: nothing is mixed, and tasks wait with the reason. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { audit } from '../../src/engine/audit/audit.js';
import {
  goalDiff,
  goalLine,
  previewLanding,
  taskDiff,
} from '../../src/engine/workspaces/looking.js';
import { Projects } from '../../src/engine/workspaces/projects.js';
import type { Drover } from '../../src/index.js';
import { Log } from '../../src/log/log.js';
import { inboxOf } from '../../src/projections/inbox.js';
import { putAsideAll } from '../../src/workspace/owner.js';
import { openRepository } from '../../src/workspace/repository.js';
import { beginRepository, git } from '../support/git.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

function theirs(): string {
  const repository = bed.folder('theirs');
  beginRepository(repository);
  return repository;
}

/** An engine with a data directory of its own. */
async function engineOn(repository: string, data = bed.folder()): Promise<Drover> {
  const projectsDir = join(data, 'projects');
  mkdirSync(projectsDir);
  writeFileSync(join(projectsDir, 'shop.yaml'), `repository: ${repository}\n`);
  const drover = await bed.start({ dataDir: data, projectsDir });
  await drover.agent('shell', 'shell');
  return drover;
}

const work = (drover: Drover, run: string) =>
  drover.enqueue({
    title: 'Write',
    project: 'shop',
    tasks: [{ name: 'one', capability: 'shell', run, retry: { attempts: 1 } }],
  });

const inbox = (drover: Drover) => inboxOf([drover.ledger.board.goal('goal-1')!]);

const waits = (drover: Drover, reason: string): Promise<void> =>
  expect
    .poll(() => inbox(drover))
    .toMatchObject([{ kind: 'hindered', id: 'task-1', reason: expect.stringContaining(reason) }]);

it('another data directory: its goals wait until what the first one left is put aside', async () => {
  const repository = theirs();
  const firstData = bed.folder();
  const first = await engineOn(repository, firstData);
  await (await work(first, 'echo first > first')).done();
  const tip = git(repository, 'rev-parse', 'autonomous/goal-1');
  const second = await engineOn(repository);
  const goal = await work(second, 'echo second > second');
  await waits(second, 'has the repository of project shop');
  expect(inbox(second)[0]!.reason).toContain('drover project take-over shop');
  expect(git(repository, 'rev-parse', 'autonomous/goal-1')).toBe(tip);

  const dataDir = bed.folder();
  const environment = { PATH: process.env['PATH'] };
  const opened = await openRepository({ name: 'shop', location: repository, dataDir, environment });
  const aside = await putAsideAll(opened);
  expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
  expect(git(repository, 'ls-tree', '--name-only', 'autonomous/goal-1')).not.toContain('first');
  const former = aside.find((ref) => ref.endsWith('/heads/autonomous/goal-1'))!;
  expect(git(repository, 'rev-parse', former)).toBe(tip);
  // The branch of that name is the second one's by now.
  await first.approve('goal-1');
  expect(first.ledger.board.goal('goal-1')!.landingTrouble).toContain('Another Drover log');
  expect(git(repository, 'ls-tree', '--name-only', 'trunk')).not.toContain('second');
  // Nor is it read for the first one's.
  const view = first.ledger.board.goal('goal-1')!;
  const log = Log.read(firstData);
  const projectsDir = join(firstData, 'projects');
  const place = { projectsDir, dataDir: firstData, environment, log: log.knownId() };
  for (const look of [goalLine, goalDiff, previewLanding])
    await expect(look(place, view)).rejects.toThrow('has the repository of project shop');
  await expect(taskDiff(place, view, 'task-1')).rejects.toMatchObject({ code: 'hindered' });
  const report = await audit({ log, projects: new Projects(place), running: false });
  log.close();
  expect(report.agrees).toBe(true);
  expect(report.notes.join()).toMatch(
    /Git was not heard about the project shop: Another Drover log/,
  );
});

it('a person’s branch: the goal waits until it is called otherwise', async () => {
  const repository = theirs();
  git(repository, 'branch', 'autonomous/goal-1');
  const drover = await engineOn(repository);
  const goal = await work(drover, 'echo 1 > one');
  await waits(drover, 'a branch autonomous/goal-1 already that Drover did not start');
  git(repository, 'branch', '-m', 'autonomous/goal-1', 'mine');
  expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
  expect(git(repository, 'show', 'autonomous/goal-1:one')).toBe('1');
});

it('a goal’s branch that somebody removes is there again, where Drover had it', async () => {
  const repository = theirs();
  const drover = await engineOn(repository);
  const run = 'echo 2 > two; git update-ref -d refs/heads/autonomous/goal-1';
  const goal = await drover.enqueue({
    title: 'Write',
    project: 'shop',
    tasks: [
      { name: 'one', capability: 'shell', run: 'echo 1 > one' },
      { name: 'two', capability: 'shell', run, needs: ['one'] },
    ],
  });
  expect((await goal.done()).state).toBe('DONE');
  git(repository, 'branch', '-D', 'autonomous/goal-1');
  await drover.approve('goal-1');
  await expect.poll(() => drover.ledger.board.goal('goal-1')!.landed).not.toBeNull();
  expect(git(repository, 'show', 'trunk:one')).toBe('1');
  expect(git(repository, 'show', 'trunk:two')).toBe('2');
});
