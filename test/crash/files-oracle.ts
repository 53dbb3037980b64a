/** What has to be true of tasks' files after any crash, asked of git beside the other witnesses. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { GoalView } from '../../src/core/goal.js';
import type { PlannedTaskInput } from '../../src/core/plan.js';
import { audit } from '../../src/engine/audit/audit.js';
import { Projects } from '../../src/engine/workspaces/projects.js';
import { goalIds } from '../../src/log/integrity.js';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';
import { openGoalBranch } from '../../src/workspace/branches.js';
import { mergesOf } from '../../src/workspace/merges.js';
import { pruneWorktrees } from '../../src/workspace/prune.js';
import { refsBelow } from '../../src/workspace/refs.js';
import { PREFIX, type Scene } from './support.js';

export const environment = { PATH: process.env['PATH'] ?? '' };

export function git(dir: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=Someone', '-c', 'user.email=someone@example.org'];
  return execFileSync('git', [...identity, ...args], {
    cwd: dir,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trimEnd();
}

/** A command that counts its runs and then changes files. */
export const command = (
  { dir }: Scene,
  name: string,
  capability: string,
  run: string,
  more: Partial<PlannedTaskInput> = {},
): PlannedTaskInput => ({
  name,
  capability,
  run: `echo "$DROVER_GOAL ${name}" >> "$RUNS"; ${run}`,
  env: { RUNS: join(dir, 'runs') },
  retry: { attempts: 3, backoff: { type: 'fixed', delay: 10, jitter: 0 } },
  ...more,
});

/** How often a task's command ran. */
export function runsOf({ dir }: Scene, goal: string, name: string): number {
  const file = join(dir, 'runs');
  if (!existsSync(file)) return 0;
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line === `${goal} ${name}`).length;
}

export interface FilesVerdict {
  readonly goals: ReadonlyMap<string, GoalView>;
  /** Folders of worktrees, with their state, that were there before they were pruned. */
  readonly left: readonly string[];
}

/**
 * Fails the test where the witnesses contradict each other, a task is not merged exactly once, a claim holds a task that
 * is over, or something is left behind that may not be removed. To be asked when nothing works any more.
 */
export async function judgeFiles(
  scene: Scene,
  agentData = [join(scene.dir, 'agents')],
): Promise<FilesVerdict> {
  const log = Log.read(scene.dataDir);
  const opened = (dataDir: string): Projects =>
    new Projects({ projectsDir: join(scene.dir, 'projects'), dataDir, environment });
  const projects = opened(scene.dataDir);
  try {
    const { disagreements, notes } = await scene.redis.use((client) =>
      audit({ log, redis: { client, prefix: PREFIX }, projects, running: false }),
    );
    expect(disagreements.map(({ goal, explanation }) => `${goal}: ${explanation}`)).toEqual([]);
    const goals = new Map<string, GoalView>();
    const left: string[] = [];
    for (const id of goalIds(log.db)) {
      const goal = loadGoal(log.db, id)!;
      goals.set(id, goal);
      const errors = [...goal.tasks.values()].map(({ error }) => error).filter(Boolean);
      expect({ id, state: goal.state, errors }).toEqual({ id, state: 'DONE', errors: [] });
      const { repository } = await projects.open(goal.project);
      const merges = await mergesOf(repository, await openGoalBranch(repository, id));
      expect({ id, merged: merges.map(({ task }) => task).toSorted() }).toEqual({
        id,
        merged: [...goal.tasks.keys()].toSorted(),
      });
      for (const { task, commit } of merges) expect(goal.tasks.get(task)!.commit).toBe(commit);
      const held = [...(await refsBelow(repository, 'refs/drover/claims/')).keys()];
      expect({ id, held }).toEqual({ id, held: [] });
      for (const dataDir of agentData) {
        const there = await opened(dataDir).open(goal.project);
        const { removed, kept, zombies } = await pruneWorktrees(there.repository);
        expect({ id, kept: kept.map(({ name, reason }) => `${name}: ${reason}`) }).toEqual({
          id,
          kept: [],
        });
        left.push(...removed.map(({ name, state }) => `${name} ${state}`), ...zombies);
      }
    }
    expect(notes).toEqual([]);
    return { goals, left };
  } finally {
    log.close();
  }
}
