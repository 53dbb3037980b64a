/** Agents with other folders than the supervisor's: none merges into a repository that the supervisor does not have. */
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Recording } from '../../src/engine/recording/recording.js';
import { connectDrover, type Drover } from '../../src/index.js';
import { inboxOf } from '../../src/projections/inbox.js';
import { git, registerRepository } from '../support/git.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

/** An agent on another machine, as far as folders are concerned. */
async function agentElsewhere({ prefix }: Drover, projectsDir: string): Promise<void> {
  const elsewhere = await connectDrover({
    redis: bed.redis().connection,
    prefix,
    dataDir: bed.folder('elsewhere'),
    projectsDir,
    onError: (error) => bed.errors.push(error.message),
  });
  onTestFinished(() => elsewhere.close({ force: true }));
  await elsewhere.agent('shell', 'shell');
}

const work = (drover: Drover) =>
  drover.enqueue({
    title: 'Write',
    project: 'shop',
    tasks: [{ name: 'one', capability: 'shell', run: 'echo 1 > one', retry: { attempts: 1 } }],
  });

const waits = (drover: Drover, ...reasons: string[]): Promise<void> =>
  expect
    .poll(() => inboxOf([drover.ledger.board.goal('goal-1')!])[0]?.reason)
    .toEqual(expect.stringMatching(reasons.join('.*')));

function registered(folder: string): string {
  const repository = bed.folder('theirs');
  registerRepository(folder, repository);
  return repository;
}

/** Waits until the supervisor has committed to a repository of its own. */
async function begun(projectsDir: string): Promise<string> {
  const own = join(projectsDir, 'shop');
  const commits = (): number =>
    existsSync(join(own, '.git')) ? Number(git(own, 'rev-list', '--all', '--count')) : 0;
  await expect.poll(commits).toBeGreaterThan(0);
  return own;
}

/** Moves away what a supervisor has begun for its state. */
async function putAway(projectsDir: string): Promise<void> {
  renameSync(await begun(projectsDir), join(bed.folder('put-away'), 'shop'));
}

it('waits until the project is registered for the agent as well', async () => {
  const projectsDir = bed.folder('projects');
  const repository = registered(projectsDir);
  const drover = await bed.start({ projectsDir });
  const theirs = bed.folder('projects');
  await agentElsewhere(drover, theirs);
  const goal = await work(drover);
  await waits(drover, 'is registered where the supervisor runs', 'drover project add URL --name');
  expect(existsSync(join(theirs, 'shop'))).toBe(false);
  writeFileSync(join(theirs, 'shop.yaml'), `repository: ${repository}\n`);
  expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
  expect(git(repository, 'show', 'autonomous/goal-1:one')).toBe('1');
});

it('waits where only the agent has it registered', async () => {
  const drover = await bed.start();
  const theirs = bed.folder('projects');
  const repository = registered(theirs);
  await agentElsewhere(drover, theirs);
  await work(drover);
  await waits(drover, 'is registered for this agent', 'drover project remove shop');
  expect(git(repository, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/trunk');
});

it('works where the project is registered while its goals wait, in the folder that both have', async () => {
  const projectsDir = bed.folder('projects');
  const drover = await bed.start({ projectsDir });
  const goal = await work(drover);
  // It would begin it anew if it wrote between the two.
  const repository = await (drover.ledger as Recording).holdingFiles('shop', async () => {
    await putAway(projectsDir);
    return registered(projectsDir);
  });
  await agentElsewhere(drover, projectsDir);
  expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
  expect(git(repository, 'show', 'autonomous/goal-1:one')).toBe('1');
});

it('hears from a supervisor that is started again what has been registered for it', async () => {
  const [dataDir, projectsDir] = [bed.folder(), bed.folder('projects')];
  const prefix = 'again';
  const first = await bed.start({ dataDir, projectsDir, prefix });
  const theirs = bed.folder('projects');
  const repository = registered(theirs);
  await agentElsewhere(first, theirs);
  await work(first);
  await waits(first, 'is registered for this agent', 'drover project remove shop');
  await first.close();
  await putAway(projectsDir);
  writeFileSync(join(projectsDir, 'shop.yaml'), `repository: ${repository}\n`);
  const next = await bed.start({ dataDir, projectsDir, prefix });
  expect((await next.goal('goal-1').done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
});

it('makes no other repository of Drover’s own, and works in one that it finds', async () => {
  const projectsDir = bed.folder('projects');
  const drover = await bed.start({ projectsDir });
  const theirs = bed.folder('projects');
  await agentElsewhere(drover, theirs);
  const goal = await work(drover);
  const place = `in ${join(projectsDir, 'shop')} on `;
  await waits(drover, place, 'would make another one', `--projects ${projectsDir}`);
  expect(existsSync(join(theirs, 'shop'))).toBe(false);
  // As a folder that both share has its files.
  await (drover.ledger as Recording).holdingFiles('shop', async () => {
    git(theirs, 'clone', '-q', await begun(projectsDir), 'shop');
  });
  expect((await goal.done()).tasks).toMatchObject([{ state: 'DONE', claims: 1 }]);
});
