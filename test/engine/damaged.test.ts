/** Worktrees that are damaged while a task works in them: its next attempt works, and nothing that was kept goes. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inspectWorktrees, type WorktreeReport } from '../../src/workspace/inspect.js';
import { openRepository } from '../../src/workspace/repository.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

function git(dir: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: dir, encoding: 'utf8' }).trim();
}

interface Damage {
  readonly name: string;
  /** In the worktree, after its work. */
  readonly run: string;
  /** Whether the work is merged all the same. */
  readonly recovers: boolean;
  /** What the attempt fails with, where it does. */
  readonly error?: RegExp;
}

const ADMIN = '"$(git rev-parse --absolute-git-dir)"';
const DAMAGES: readonly Damage[] = [
  { name: 'its .git file is deleted', run: 'rm .git', recovers: true },
  { name: 'its .git file is garbage', run: 'echo garbage > .git', recovers: true },
  { name: 'its index is garbage', run: `echo garbage > ${ADMIN}/index`, recovers: true },
  { name: 'its HEAD is garbage', run: `echo garbage > ${ADMIN}/HEAD`, recovers: true },
  { name: 'its registration is pruned', run: `rm -r ${ADMIN}`, recovers: true },
  { name: 'it is deleted', run: 'rm -r "$PWD"', recovers: false, error: /task-1\.2 is gone/ },
  {
    name: 'git itself removes it',
    run: 'git worktree remove -f -f "$PWD"',
    recovers: false,
    error: /task-1\.2 is gone/,
  },
];

it.each(DAMAGES)('$name', async ({ run, recovers, error }) => {
  const data = bed.folder();
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  await drover.agent('shell', 'shell');
  const repository = join(data, 'projects', 'shop');
  const goal = await drover.enqueue({
    title: 'Count',
    project: 'shop',
    tasks: [
      {
        name: 'one',
        capability: 'shell',
        // The first attempt leaves something, the second damages its worktree, the third is left in peace.
        run: `echo $DROVER_ATTEMPT > one; case $DROVER_ATTEMPT in 1) exit 1;; 2) ${run};; esac; true`,
        retry: { attempts: 3, backoff: { type: 'fixed', delay: 10, jitter: 0 } },
      },
    ],
  });
  const report = await goal.done();
  expect(report).toMatchObject({ state: 'DONE', tasks: [{ claims: recovers ? 2 : 3 }] });
  expect(git(repository, 'show', 'autonomous/goal-1:one')).toBe(recovers ? '2' : '3');
  const failures = [...drover.ledger.log.events({ goal: 'goal-1', types: ['attempt.failed'] })].map(
    ({ event }) => (event.type === 'attempt.failed' ? event.error : ''),
  );
  expect(failures).toEqual([
    expect.stringContaining('exit status 1'),
    ...(recovers ? [] : [expect.stringMatching(error!)]),
  ]);
  // What the first attempt left is there still.
  expect(git(repository, 'show', 'refs/drover/kept/task-1.1:one')).toBe('1');
  expect(git(repository, 'for-each-ref', 'refs/drover/claims')).toBe('');
  const opened = await openRepository({
    name: 'shop',
    location: repository,
    dataDir: data,
    environment: { PATH: process.env['PATH'] },
  });
  expect((await inspectWorktrees(opened)).map(({ name }: WorktreeReport) => name)).toEqual([]);
  expect(() => git(repository, 'worktree', 'list')).not.toThrow();
  expect(git(repository, 'fsck', '--no-dangling')).toBe('');
});
