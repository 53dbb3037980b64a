/** A task that leaves what git cannot take in, such as a repository, is told where, and its sound files are kept. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testBed } from '../support/redis.js';

const bed = testBed();

function git(dir: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: dir, encoding: 'utf8' }).trim();
}

async function failed(run: string) {
  const data = bed.folder();
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  await drover.agent('shell', 'shell');
  const retry = { attempts: 2, backoff: { type: 'fixed', delay: 1 } } as const;
  const tasks = [{ name: 'one', capability: 'shell', run, retry }];
  const goal = await drover.enqueue({ title: 'Count', project: 'shop', tasks });
  const [task] = (await goal.done()).tasks;
  return {
    task,
    repository: join(data, 'projects', 'shop'),
    worktrees: join(data, 'worktrees', 'shop'),
  };
}

it.each([
  ['a repository without a commit', 'git init -q sub; echo 1 > sub/in; echo 2 > one', 'sub/.git'],
  [
    'nothing but what lies in a `.git` folder',
    'mkdir -p sub/.git; echo x > sub/.git/config',
    'sub/.git',
  ],
  [
    'a folder that is `.git` elsewhere',
    'mkdir -p .GIT; echo x > .GIT/config; echo 2 > one',
    '.GIT',
  ],
])('%s', async (_, run, named) => {
  const { task, repository, worktrees } = await failed(run);
  expect(task).toMatchObject({ state: 'FAILED', claims: 2 });
  expect(task!.error).toContain(`${named} is a \`.git\` of its own`);
  expect(task!.error).toContain('.gitignore');
  // Nothing is left to look after.
  expect(readdirSync(worktrees)).toEqual([]);
  expect(git(repository, 'branch', '--list', 'autonomous/task-*')).toBe('');
  if (!run.includes('> one')) return;
  for (const claim of [1, 2])
    expect(git(repository, 'show', `refs/drover/kept/task-1.${claim}:one`)).toBe('2');
});

it('a link where git expects a file of its own', async () => {
  const { task, repository, worktrees } = await failed(
    'echo 2 > one; ln -s one .gitmodules; ln -s one .GITMODULES',
  );
  expect(task).toMatchObject({ state: 'FAILED', claims: 2 });
  for (const name of ['.gitmodules', '.GITMODULES'])
    expect(task!.error).toContain(
      `Git does not take in ${name} (a symbolic link to one): invalid path '${name}'.`,
    );
  expect(task!.error).toContain('.gitignore');
  expect(readdirSync(worktrees)).toEqual([]);
  for (const claim of [1, 2])
    expect(git(repository, 'show', `refs/drover/kept/task-1.${claim}:one`)).toBe('2');
});

it('one with commits: the worktrees that have them stay, and all else goes', async () => {
  const commit = 'git -c user.name=T -c user.email=t@example.org commit -q --allow-empty -m inner';
  const { task, repository, worktrees } = await failed(
    `git init -q sub; (cd sub; ${commit}); echo 2 > one`,
  );
  expect(task!.error).toContain('sub/.git is a `.git` of its own');
  expect(git(repository, 'show', 'refs/drover/kept/task-1.2:one')).toBe('2');
  expect(git(repository, 'for-each-ref', 'refs/drover/claims')).toBe('');
  for (const name of ['task-1.1', 'task-1.2'])
    expect(existsSync(join(worktrees, name, 'sub', '.git'))).toBe(true);
});
