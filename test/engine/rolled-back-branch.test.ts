/**
 * What begins again with a rollback is what leaves the branch (invariant 4), whatever order the log tells the merges in:
 * merge trains tell theirs in any, and agents merge while it is decided.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/core/events.js';
import { enqueueOffline, askOffline } from '../../src/engine/offline.js';
import { Ledger } from '../../src/engine/recording/ledger.js';
import { Projects } from '../../src/engine/workspaces/projects.js';
import { Log } from '../../src/log/log.js';
import { branchRef, goalBranch, openGoalBranch } from '../../src/workspace/branches.js';
import { treeOf } from '../../src/workspace/commits.js';
import { commitMerge } from '../../src/workspace/integrate.js';
import { moveRefs } from '../../src/workspace/refs.js';
import { rollBack } from '../../src/workspace/rollback.js';
import { randomFrom } from '../crash/random.js';
import { testBed } from '../support/redis.js';
import { userGit } from '../workspace/repository.js';

const bed = testBed();
const GOAL = 'goal-1';
const BRANCH = goalBranch(GOAL);

interface Merged {
  readonly task: string;
  readonly commit: string;
}

class Scene {
  readonly dataDir: string;
  readonly projectsDir: string;

  constructor(readonly dir: string) {
    this.dataDir = join(dir, 'data');
    this.projectsDir = join(dir, 'projects');
  }

  copy(): Scene {
    const dir = bed.folder('copy');
    cpSync(this.dir, dir, { recursive: true });
    return new Scene(dir);
  }

  async repository() {
    const environment = { PATH: process.env['PATH'] };
    const { projectsDir, dataDir } = this;
    const projects = new Projects({ projectsDir, dataDir, environment });
    return (await projects.open('shop')).repository;
  }

  enqueue(count: number): string[] {
    const tasks = Array.from({ length: count }, (_, index) => ({
      name: `n${index}`,
      capability: 'nobody',
    }));
    return Object.values(
      enqueueOffline(this.dataDir, { title: 'Numbers', project: 'shop', tasks }).tasks,
    );
  }

  /** As a merge train does it: one merge on top of the other, each with a file named like its task. */
  async merge(tasks: readonly string[]): Promise<Merged[]> {
    const repository = await this.repository();
    const { tip: from } = await openGoalBranch(repository, GOAL);
    let onto = from;
    const merged: Merged[] = [];
    for (const task of tasks) {
      const commit = await commitMerge(repository, {
        onto,
        tree: await treeOf(repository, onto),
        claim: { goal: GOAL, task, claim: 1 },
        subject: `Merge ${task}`,
        files: [{ path: task, content: task }],
      });
      merged.push({ task, commit });
      onto = commit;
    }
    await moveRefs(repository, [{ ref: branchRef(BRANCH), from, to: onto }], 'drover: merge');
    return merged;
  }

  tell(merged: readonly Merged[]): void {
    const log = Log.open(this.dataDir);
    const of = (task: string, event: Event) => {
      const claim = { claim: 1 };
      return { time: 1, project: 'shop', goal: GOAL, task, ...claim, event };
    };
    new Ledger(log).commit(
      merged.flatMap(({ task, commit }) => [
        of(task, { type: 'task.assigned' }),
        of(task, { type: 'task.merged', commit, branch: BRANCH, together: [task] }),
        of(task, { type: 'task.completed', result: null }),
      ]),
    );
    log.close();
  }

  rollback(to: string) {
    return askOffline(this.dataDir, this.projectsDir)('rollback', { goal: GOAL, to });
  }

  /** The tasks that are DONE and those whose files are on the branch, once a supervisor has carried it out. */
  async carriedOut(): Promise<{ done: string[]; files: string[] }> {
    const { dataDir, projectsDir } = this;
    const drover = await bed.start({ dataDir, projectsDir });
    const view = () => drover.ledger.board.goal(GOAL)!;
    await expect.poll(() => view().rollback).toBeNull();
    const done = [...view().tasks.values()].filter(({ state }) => state === 'DONE');
    const files = userGit(join(projectsDir, 'shop'), 'ls-tree', '--name-only', BRANCH);
    await drover.close({ force: true });
    return {
      done: done.map(({ spec }) => spec.id).toSorted(),
      files: files
        .split('\n')
        .filter((name) => name.startsWith('task-'))
        .toSorted(),
    };
  }
}

function shuffled<T>(list: readonly T[], seed: number): T[] {
  const random = randomFrom(seed);
  const keyed = list.map((one) => ({ one, key: random() }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ one }) => one);
}

const names = (merged: readonly Merged[]): string[] => merged.map(({ task }) => task).toSorted();

describe('what begins again is what leaves the branch', () => {
  it.each([1, 2, 3])('where the log tells merges in another order: seed %i', async (seed) => {
    const scene = new Scene(bed.folder('scene'));
    const tasks = scene.enqueue(6);
    const merged = await scene.merge(shuffled(tasks, seed));
    scene.tell(shuffled(merged, seed + 100));
    const start = userGit(join(scene.projectsDir, 'shop'), 'rev-parse', `${merged[0]!.commit}^`);
    const line = [{ task: start, commit: start }, ...merged];
    for (const [kept, { task, commit }] of line.slice(0, -1).entries()) {
      const copy = scene.copy();
      const answer = await copy.rollback(kept % 2 === 0 ? commit : task);
      expect(answer.commit).toBe(commit);
      expect(answer.tasks.toSorted()).toEqual(names(merged.slice(kept)));
      const stay = names(merged.slice(0, kept));
      expect(await copy.carriedOut()).toEqual({ done: stay, files: stay });
    }
    await expect(scene.rollback(merged.at(-1)!.task)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('where a second one goes further before the first is carried out', async () => {
    const scene = new Scene(bed.folder('scene'));
    const merged = await scene.merge(scene.enqueue(4).toReversed());
    scene.tell(merged.toReversed());
    await scene.rollback(merged[2]!.task);
    await expect(scene.rollback(merged[3]!.task)).rejects.toMatchObject({ code: 'not-found' });
    expect((await scene.rollback(merged[0]!.task)).tasks.toSorted()).toEqual(
      names(merged.slice(1, 3)),
    );
    const stay = names(merged.slice(0, 1));
    expect(await scene.carriedOut()).toEqual({ done: stay, files: stay });
  });

  it.each(['told', 'untold', 'told, and a supervisor died when the branch had moved'])(
    'where agents merge until the branch goes back: %s',
    async (how) => {
      const scene = new Scene(bed.folder('scene'));
      const tasks = scene.enqueue(4);
      const merged = await scene.merge(tasks.slice(0, 2));
      scene.tell(merged);
      const [{ task, commit }] = merged as [Merged];
      await scene.rollback(task);
      const late = await scene.merge(tasks.slice(2));
      if (how !== 'untold') scene.tell(late);
      if (how.includes('died')) await rollBack(await scene.repository(), GOAL, commit);
      expect(await scene.carriedOut()).toEqual({ done: [task], files: [task] });
      const log = Log.read(scene.dataDir);
      const again = [...log.events({ goal: GOAL, types: ['tasks.reopened'] })].flatMap(
        ({ event }) => (event.type === 'tasks.reopened' ? event.tasks : []),
      );
      log.close();
      // What is told from now on is of a job that does not count any more.
      expect(again.toSorted()).toEqual(tasks.slice(1));
    },
  );
});

it('says what it cannot go back to', async () => {
  const scene = new Scene(bed.folder('scene'));
  scene.tell(await scene.merge(scene.enqueue(2)));
  await expect(scene.rollback('main')).rejects.toMatchObject({
    code: 'bad-input',
    message: 'goal-1 goes back to a task or a commit, and "main" is neither.',
    remedy: expect.stringContaining('`drover graph goal-1` shows both'),
  });
  await expect(scene.rollback('task-77')).rejects.toMatchObject({ code: 'not-found' });
});
