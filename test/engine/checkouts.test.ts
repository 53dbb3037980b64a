/** Checkouts of a base branch whose files follow what lands there. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Drover } from '../../src/index.js';
import { unlandedGoals } from '../../src/projections/goal-queries.js';
import { landingsOf } from '../../src/projections/inbox.js';
import { followRef } from '../../src/workspace/branches.js';
import { git, registerRepository } from '../support/git.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

/** Somebody's repository with finished goals, which wait to be landed. */
async function finished(names: string[]): Promise<{ drover: Drover; repository: string }> {
  const data = bed.folder();
  const repository = bed.folder('theirs');
  registerRepository(join(data, 'projects'), repository);
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  await drover.agent('shell', 'shell', { concurrency: 4 });
  const goals = names.map((name) =>
    drover.enqueue({
      title: name,
      project: 'shop',
      tasks: [
        { name, capability: 'shell', run: `mkdir ${name}; cd ${name}; seq 300 | xargs touch` },
      ],
    }),
  );
  for (const goal of await Promise.all(goals)) expect((await goal.done()).state).toBe('DONE');
  return { drover, repository };
}

const viewOf = (drover: Drover, goal: string) => drover.ledger.board.goal(goal)!;

it('are not taken for changed by a goal that lands at the same time', async () => {
  const { drover, repository } = await finished(['a', 'b', 'c', 'd']);
  const goals = ['goal-1', 'goal-2', 'goal-3', 'goal-4'];
  await Promise.all(goals.map((goal) => drover.approve(goal)));
  for (const goal of goals) {
    expect(viewOf(drover, goal)).toMatchObject({
      landed: expect.any(String) as string,
      landingTrouble: null,
    });
  }
  expect(git(repository, 'status', '--porcelain')).toBe('');
});

it('are told in the inbox where they could not follow, and do when that is seen to', async () => {
  const { drover, repository } = await finished(['a']);
  // As a supervisor leaves it that was killed when the branch had moved, and somebody who stages something then.
  git(repository, 'update-ref', followRef('goal-1'), 'HEAD');
  git(repository, 'update-ref', 'HEAD', 'autonomous/goal-1');
  for (let each = 1; each <= 12; each += 1) writeFileSync(join(repository, `mine${each}`), '');
  git(repository, 'add', '.');
  await drover.approve('goal-1');
  expect(viewOf(drover, 'goal-1').landed).toBe(null);
  const inbox = landingsOf(unlandedGoals(drover.ledger.log.db), () => false);
  expect(inbox).toMatchObject([
    {
      id: 'goal-1',
      reason: expect.stringMatching(/has it, but.*\(mine.* and 2 more\).*commit and stash nothing/),
    },
  ]);
  git(repository, 'reset', '-q', '--hard');
  await drover.approve('goal-1');
  expect(viewOf(drover, 'goal-1').landed).toBe(git(repository, 'rev-parse', 'HEAD'));
  expect(git(repository, 'status', '--porcelain')).toBe('');
});
