/**
 * Pushes a finished goal's branch where its project's settings say.
 *
 * Invariants kept here: 2 (the log says first what is to be pushed, so that a later push knows it for Drover's own).
 */
import type { Event } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import { startedGoalBranch } from '../../workspace/branches.js';
import { pushBranch } from '../../workspace/push.js';
import type { Recording } from '../recording/recording.js';
import type { OpenProject } from './projects.js';

/**
 * @param pattern name of the branch there, with `{goal}` for the goal's id
 * @throws DroverError `not-found` or `conflict`, like `pushBranch`
 */
export async function pushGoal(
  recording: Recording,
  goal: GoalView,
  { repository }: OpenProject,
  pattern: string,
): Promise<void> {
  const record = (event: Event): Promise<unknown> =>
    recording.commit([{ time: Date.now(), project: goal.project, goal: goal.id, event }]);
  const branch = pattern.replaceAll('{goal}', goal.id);
  const { tip: commit } = await startedGoalBranch(repository, goal.id);
  const ours = pushedBefore(recording, goal.id, branch);
  if (!ours.has(commit)) await record({ type: 'push.begun', branch, commit });
  await pushBranch(repository, commit, branch, ours);
  await record({ type: 'goal.pushed', branch, commit });
}

/** What Drover pushed to that branch, or was to push when it died; after a rollback another commit takes its place. */
function pushedBefore(recording: Recording, goal: string, branch: string): ReadonlySet<string> {
  const commits = new Set<string>();
  for (const { event } of recording.log.events({ goal, types: ['push.begun', 'goal.pushed'] })) {
    if (event.type !== 'push.begun' && event.type !== 'goal.pushed') continue;
    if (event.branch === branch) commits.add(event.commit);
  }
  return commits;
}
