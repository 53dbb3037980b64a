/**
 * A goal's branch as a merge train runs on it.
 *
 * Invariants kept here: 4 and 5 (the branch moves and the claims end in one transaction), 7 (checks run in a
 * worktree of exactly the commit that is to be merged).
 */
import type { FilesContext } from '../../agents/files.js';
import type { Purpose, Shell } from '../../agents/shell.js';
import { DroverError } from '../../core/errors.js';
import { STATE_FILE } from '../../projections/state-file.js';
import { withMergedTask } from '../../projections/state-merge.js';
import { branchRef, claimRef, goalTipRef, openGoalBranch } from '../../workspace/branches.js';
import { putBackText, putGoalBack } from '../../workspace/goal-moves.js';
import { assertNotInUse } from '../../workspace/in-use.js';
import { commitMerge, landMerges } from '../../workspace/integrate.js';
import { mergeWork } from '../../workspace/merge.js';
import { mergesOf } from '../../workspace/merges.js';
import { assertNotLocked } from '../../workspace/ref-locks.js';
import { readRefs } from '../../workspace/refs.js';
import type { Inspection, Track, Wagon } from '../../workspace/train.js';
import { fileIn } from '../../workspace/trees.js';
import { type Checked, type CheckToRun, inspectCommit, projectChecks } from './inspection.js';
import type { Passenger } from './passenger.js';
import type { OpenProject } from './projects.js';
import { refusalText } from './refusal-text.js';

export interface Car extends Wagon {
  readonly of: Passenger;
}

export class GoalTrack implements Track<Car, string, readonly Checked[]> {
  /** @param leader the claim in whose name worktrees are made and commands are run */
  constructor(
    private readonly project: OpenProject,
    private readonly leader: Passenger,
    private readonly shell: Shell,
    private readonly context: FilesContext,
  ) {}

  readonly tip = async (): Promise<string> => {
    const { goal, tip, branch, noted } = await this.branch();
    if (noted !== undefined && noted !== tip) await this.requireOwnMoves();
    // Asked when it moves as well; checks that come to nothing need not run.
    await assertNotInUse(this.project.repository, [branchRef(branch)]);
    await assertNotLocked(this.project.repository, [branchRef(branch), goalTipRef(goal)]);
    return tip;
  };

  readonly merged = async ({ task, of }: Car): Promise<string | undefined> => {
    const merges = await mergesOf(this.project.repository, await this.branch());
    return merges.find((merge) => merge.task === task && merge.head === of.work.head)?.commit;
  };

  readonly couple = async (
    onto: string,
    { of }: Car,
  ): Promise<{ commit: string } | { refusal: string }> => {
    const { repository, settings } = this.project;
    const result = await mergeWork(repository, onto, of.work);
    if (result.kind !== 'merged') return { refusal: refusalText(result) };
    const commit = await commitMerge(repository, {
      onto,
      head: of.work.head,
      tree: result.tree,
      claim: of.claim,
      subject: `${of.claim.task}: ${of.title}`,
      check: of.check?.run,
      files: settings.commitState ? [await this.stateOn(onto, of)] : [],
      author: settings.author,
    });
    return { commit };
  };

  readonly inspect = (
    commit: string,
    cars: readonly Car[],
  ): Promise<Inspection<readonly Checked[]>> =>
    inspectCommit(this.project, commit, this.checksFor(cars), {
      claim: this.leader.claim,
      purpose: purposeOf(this.leader),
      shell: this.shell,
      context: this.context,
    });

  readonly advance = async (
    from: string,
    to: string,
    cars: readonly Car[],
  ): Promise<'moved' | 'lost-race' | readonly Car[]> => {
    const { repository } = this.project;
    const claims = cars.map(({ of }) => ({ ...of.claim, head: of.work.head }));
    try {
      const { goal } = this.leader.claim;
      const result = await landMerges(repository, { goal, from, to, claims });
      return result.kind === 'lost-race' ? 'lost-race' : 'moved';
    } catch (error) {
      if (!(error instanceof DroverError && error.code === 'stale-claim')) throw error;
      const held = await readRefs(
        repository,
        claims.map(({ task }) => claimRef(task)),
      );
      const stale = cars.filter(({ task, of }) => held.get(claimRef(task)) !== of.claim.fence);
      // Where all hold their tasks, one of them has taken its own anew meanwhile: the next try tells.
      return stale.length > 0 ? stale : 'lost-race';
    }
  };

  /** Nobody of the train has to be at fault: it is told, and the next try finds the branch where it belongs. */
  private async requireOwnMoves(): Promise<void> {
    const back = await putGoalBack(this.project.repository, this.leader.claim.goal);
    if (back) throw new DroverError('hindered', putBackText(back));
  }

  private branch() {
    const { repository, settings } = this.project;
    return openGoalBranch(repository, this.leader.claim.goal, settings.author);
  }

  private async stateOn(onto: string, of: Passenger): Promise<{ path: string; content: string }> {
    const { project, goalTitle: title, name, needs, agent, result } = of;
    const { goal, task } = of.claim;
    const previous = await fileIn(this.project.repository, onto, STATE_FILE);
    const merged = { project, goal, title, task, name, needs, agent, result, finished: Date.now() };
    return { path: STATE_FILE, content: withMergedTask(previous, merged) };
  }

  /** The project's checks, then those of the tasks. */
  private checksFor(cars: readonly Car[]): readonly CheckToRun[] {
    const ofTasks = cars.flatMap(({ task, of }) =>
      of.check ? [{ task, purpose: purposeOf(of), ...of.check }] : [],
    );
    return [...projectChecks(this.project, purposeOf(this.leader)), ...ofTasks];
  }
}

function purposeOf(passenger: Passenger): Purpose {
  const { claim, project, attempt, env, secrets } = passenger;
  return { goal: claim.goal, task: claim.task, claim: claim.claim, project, attempt, env, secrets };
}
