/** What a landing writes besides the goal's work: its entry in the STATE.yaml of the base branch. */
import { STATE_FILE } from '../../projections/state-file.js';
import { withLandedGoal } from '../../projections/state-merge.js';
import { branchRef, goalBranch } from '../../workspace/branches.js';
import { readRef } from '../../workspace/refs.js';
import { fileIn, type TreeFile } from '../../workspace/trees.js';
import type { OpenProject } from './projects.js';

/** In a repository of its own Drover commits STATE.yaml itself, and leaves it to that. */
export async function landingFiles(
  goal: string,
  { repository, settings, isOwn }: OpenProject,
): Promise<TreeFile[]> {
  if (isOwn || !settings.commitState) return [];
  const base = await readRef(repository, branchRef(repository.base));
  const tip = await readRef(repository, branchRef(goalBranch(goal)));
  const landed = tip && (await fileIn(repository, tip, STATE_FILE));
  // A fast-forward ends with the goal's own file.
  const content =
    settings.merge === 'fast-forward'
      ? landed
      : withLandedGoal(base && (await fileIn(repository, base, STATE_FILE)), landed, goal);
  return content === undefined ? [] : [{ path: STATE_FILE, content }];
}
