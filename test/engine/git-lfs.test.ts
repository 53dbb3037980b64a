/** A project whose large files are in Git LFS, with the real filter; skipped where git-lfs is not installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, type TestContext } from 'vitest';
import { testBed } from '../support/redis.js';
import { shell } from '../support/tasks.js';

const bed = testBed();

const isHere = (): boolean => spawnSync('git', ['lfs', 'version']).status === 0;

function git(dir: string, ...args: string[]): string {
  const who = ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.org'];
  return execFileSync('git', [...who, ...args], { cwd: dir, encoding: 'utf8' }).trim();
}

const LARGE = 'large\n'.repeat(1_000);

/** A checkout with a file in Git LFS, set up in its own configuration. */
function repositoryWithLfs(context: TestContext): string {
  if (!isHere()) context.skip('git-lfs is not installed');
  const dir = bed.folder('theirs');
  git(dir, 'init', '-q', '-b', 'trunk');
  git(dir, 'lfs', 'install', '--local', '--skip-repo');
  git(dir, 'lfs', 'track', '*.bin');
  writeFileSync(join(dir, 'large.bin'), LARGE);
  writeFileSync(join(dir, 'small.txt'), 'small\n');
  git(dir, 'add', '-A');
  git(dir, 'commit', '-qm', 'First');
  return dir;
}

async function engineFor(repository: string, settings = '') {
  const data = bed.folder();
  const projectsDir = join(data, 'projects');
  mkdirSync(projectsDir);
  writeFileSync(join(projectsDir, 'shop.yaml'), `repository: ${repository}\n${settings}`);
  const drover = await bed.start({ dataDir: data, projectsDir });
  await drover.agent('shell', 'shell');
  return drover;
}

it('merges no large file in place of its pointer', async (context) => {
  const repository = repositoryWithLfs(context);
  const drover = await engineFor(repository);
  const goal = await drover.enqueue({
    title: 'Write large files',
    project: 'shop',
    tasks: [
      shell('changed', 'echo more >> large.bin'),
      shell('new', 'mkdir sub; echo new > sub/new.bin'),
      shell('small', 'head -1 large.bin; echo more >> small.txt'),
      shell(
        'pointer',
        'echo other > other.bin; git lfs clean -- other.bin < other.bin > p && mv p other.bin',
      ),
      shell('gone', 'rm large.bin', { needs: ['small', 'pointer'] }),
    ],
  });
  const report = await goal.done();
  const [changed, made, small, ...others] = report.tasks;
  expect(changed!.error).toMatch(/large\.bin belongs to Git LFS.*git lfs clean/s);
  expect(made!.error).toMatch(/sub\/new\.bin belongs to Git LFS/);
  expect([small, ...others].map((task) => task!.error)).toEqual([null, null, null]);
  expect(small!.result).toBe('version https://git-lfs.github.com/spec/v1');
  expect(git(repository, 'ls-tree', '-r', '--name-only', 'autonomous/goal-1').split('\n')).toEqual([
    '.gitattributes',
    'STATE.yaml',
    'other.bin',
    'small.txt',
  ]);
  // What a person gets who merges it: the very file, from the store that the task's own git filled.
  git(repository, 'merge', '-q', 'autonomous/goal-1');
  expect(readFileSync(join(repository, 'other.bin'), 'utf8')).toBe('other\n');
  expect(git(repository, 'status', '--porcelain')).toBe('');
  git(repository, 'lfs', 'fsck');
});

it('lands in a checkout beside large files, and takes those that a set-up has fetched for pointers', async (context) => {
  const repository = repositoryWithLfs(context);
  const drover = await engineFor(repository, 'setup: [git lfs checkout]\nland: auto\n');
  const goal = await drover.enqueue({
    title: 'Read large files',
    project: 'shop',
    tasks: [shell('lines', 'wc -l < large.bin > small.txt')],
  });
  expect((await goal.done()).tasks[0]!.error).toBeNull();
  await expect.poll(() => drover.ledger.board.goal('goal-1')!.landed).not.toBeNull();
  expect(readFileSync(join(repository, 'small.txt'), 'utf8')).toBe('1000\n');
  expect(readFileSync(join(repository, 'large.bin'), 'utf8')).toBe(LARGE);
  expect(git(repository, 'diff', '--name-only', 'trunk~', 'trunk').split('\n')).toEqual([
    'STATE.yaml',
    'small.txt',
  ]);
  expect(git(repository, 'status', '--porcelain')).toBe('');
});

it('says how it lands where the checkout would have to run a filter', async (context) => {
  const repository = repositoryWithLfs(context);
  const drover = await engineFor(repository, 'land: auto\n');
  const run = 'git lfs clean -- large.bin < small.txt > p && mv p large.bin';
  const tasks = [shell('pointer', run)];
  await (await drover.enqueue({ title: 'Write', project: 'shop', tasks })).done();
  await expect
    .poll(() => drover.ledger.board.goal('goal-1')!.landingTrouble)
    .toMatch(/through a filter.*: merge the goal’s branch there by hand\. \(large\.bin\)/);
});

it('takes no file in plain text that a required filter would hide', async () => {
  const repository = bed.folder('theirs');
  git(repository, 'init', '-q', '-b', 'trunk');
  writeFileSync(join(repository, '.gitattributes'), '*.key filter=hide\n*.txt filter=tidy\n');
  git(repository, 'add', '-A');
  git(repository, 'commit', '-qm', 'First');
  git(repository, 'config', 'filter.hide.clean', 'tr a-z n-za-m');
  git(repository, 'config', 'filter.hide.required', 'true');
  git(repository, 'config', 'filter.tidy.clean', 'sort');
  const drover = await engineFor(repository);
  const goal = await drover.enqueue({
    title: 'Write a key',
    project: 'shop',
    tasks: [shell('key', 'echo secret > new.key'), shell('text', 'echo text > new.txt')],
  });
  const report = await goal.done();
  expect(report.tasks[0]!.error).toMatch(/new\.key has to go through the filter ‘hide’/);
  expect(report.tasks[1]!.error).toBeNull();
});
