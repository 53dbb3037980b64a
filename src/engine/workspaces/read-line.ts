/** Reads a goal's line from git, which a rollback is decided on. It changes nothing. */
import { isGoalId } from '../../core/ids.js';
import type { GoalView } from '../../core/goal.js';
import type { Log } from '../../log/log.js';
import { noGoalBranch, readGoalBranch } from '../../workspace/branches.js';
import { isMovedByPeople } from '../../workspace/goal-moves.js';
import { commitsOf } from '../../workspace/line.js';
import { mergesOf } from '../../workspace/merges.js';
import { branchSteps, type GoalLine } from '../decisions/goal-line.js';
import type { Projects } from './projects.js';

export interface LineParts {
  readonly log: Log;
  readonly projects: Projects;
  readonly goal: (id: string) => Pick<GoalView, 'project'> | undefined;
}

/**
 * @param input a request; undefined comes of one that names no goal, which is refused for that
 * @throws DroverError `not-found` where the goal has no branch
 */
export async function readLineFor(
  { log, projects, goal: find }: LineParts,
  input: unknown,
): Promise<GoalLine | undefined> {
  const { goal } = Object(input) as { goal?: unknown };
  if (typeof goal !== 'string' || !isGoalId(goal)) return undefined;
  const project = find(goal)?.project;
  if (project === undefined) return undefined;
  // The log first: where the branch goes back meanwhile, the decision can tell.
  const steps = branchSteps(log, goal);
  // Opening would make a repository where there is none.
  if (!(await projects.exists(project))) throw noGoalBranch(project, goal);
  const { repository } = await projects.open(project);
  const found = await readGoalBranch(repository, goal);
  if (!found) throw noGoalBranch(project, goal);
  const { noted, tip } = found;
  // What something else moved is put back before the branch goes back.
  const isForeign =
    noted !== undefined && noted !== tip && !(await isMovedByPeople(repository, found));
  const branch = isForeign ? { ...found, tip: noted } : found;
  const commits = await commitsOf(repository, branch, await mergesOf(repository, branch));
  const points = commits.toReversed().map(({ commit, merge }) => ({ commit, task: merge?.task }));
  return { goal, steps, points: [{ commit: found.start }, ...points] };
}
