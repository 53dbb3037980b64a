/**
 * Lets goals' branches follow what the log says about them: finished goals land in the base branch, and goals that
 * were rolled back go back.
 *
 * Invariants kept here: 2 (the log says it first; everything here may be repeated, and a start repeats it), 4 (a
 * goal lands once), 8 (what cannot land waits for a person, with the reason in the log).
 */
import { asError, DroverError, messageOf } from '../../core/errors.js';
import type { Event } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import { goalsToLand } from '../../projections/goal-queries.js';
import { STATE_FILE } from '../../projections/state-file.js';
import { withLandedGoal } from '../../projections/state-merge.js';
import { branchRef, goalBranch } from '../../workspace/branches.js';
import { bringUpToDate, landGoal, prepareLanding } from '../../workspace/land.js';
import { pushBranch } from '../../workspace/push.js';
import { readRef } from '../../workspace/refs.js';
import { rollBack } from '../../workspace/rollback.js';
import { fileIn, type TreeFile } from '../../workspace/trees.js';
import type { Recording } from '../recording/recording.js';
import type { Turns } from '../turns.js';
import type { OpenProject, Projects } from './projects.js';
import { refusalText } from './refusal-text.js';

export interface LandingsParts {
  readonly recording: Recording;
  readonly projects: Projects;
  readonly turns: Turns;
  readonly onError: (error: Error) => void;
}

/** How often a lost race is run again; each time somebody else has committed to one of the branches. */
const TRIES = 10;

export class Landings {
  private readonly running = new Set<Promise<void>>();
  private closing = false;

  constructor(private readonly parts: LandingsParts) {}

  /** Takes up what a supervisor before this one did not finish; a start need not wait for repositories. */
  async settleAll(): Promise<void> {
    for (const goal of goalsToLand(this.parts.recording.log.db)) {
      if (this.closing) return;
      await this.settle(goal);
    }
  }

  /** Moves a rolled back goal's branch. Before anything of the goal runs again, so that it starts from there. */
  async follow({ id }: GoalView): Promise<void> {
    const { recording, turns } = this.parts;
    await turns.take(`${id} branch`, async () => {
      const goal = recording.board.goal(id)!;
      if (goal.rollback !== null) await this.rollBack(goal, goal.rollback);
    });
  }

  /** Resolves when what is under way has ended; the rest is left to the next start. */
  async close(): Promise<void> {
    this.closing = true;
    await Promise.all(this.running);
  }

  /** Never rejects: what goes wrong is in the log, or reported. */
  async settle(id: string): Promise<void> {
    const settled = this.trySettle(id);
    this.running.add(settled);
    await settled;
    this.running.delete(settled);
  }

  private async trySettle(id: string): Promise<void> {
    try {
      await this.parts.turns.take(`${id} branch`, async () => {
        const goal = this.parts.recording.board.goal(id);
        if (goal?.rollback != null) await this.rollBack(goal, goal.rollback);
        if (goal?.state === 'DONE' && goal.merged) await this.finish(goal);
      });
    } catch (error) {
      const what = `The branch of ${id} could not follow the log: ${messageOf(error)}`;
      this.parts.onError(new Error(what, { cause: asError(error) }));
    }
  }

  private async rollBack(goal: GoalView, commit: string): Promise<void> {
    const { repository } = await this.parts.projects.open(goal.project);
    const { tip, kept } = await rollBack(repository, goal.id, commit);
    await this.record(goal, { type: 'branch.moved', commit: tip, ...(kept && { kept: kept.ref }) });
  }

  private async finish(goal: GoalView): Promise<void> {
    // What was in the way has to be seen to by a person, whose approval takes the trouble away.
    if (goal.landed !== null || goal.landingTrouble !== null) return;
    const project = await this.parts.projects.open(goal.project);
    const { push, land: policy } = project.settings;
    try {
      if (push !== undefined && goal.pushed === null) await this.push(goal, project, push);
      const mayLand = goal.approved || policy === 'auto';
      if (!mayLand) return;
      const land = (): Promise<void> => this.land(goal, project);
      // In a checkout of Drover's own STATE.yaml and pages are committed too, and not while it is moved.
      await (project.isOwn ? this.parts.recording.holdingFiles(goal.project, land) : land());
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      const remedy = error.remedy === undefined ? '' : ` ${error.remedy}`;
      await this.record(goal, { type: 'landing.refused', reason: `${error.message}${remedy}` });
    }
  }

  private async push(goal: GoalView, { repository }: OpenProject, pattern: string): Promise<void> {
    const branch = pattern.replaceAll('{goal}', goal.id);
    const commit = await readRef(repository, branchRef(goalBranch(goal.id)));
    await pushBranch(repository, commit!, branch);
    await this.record(goal, { type: 'goal.pushed', branch, commit: commit! });
  }

  private async land(goal: GoalView, project: OpenProject): Promise<void> {
    const { repository, settings } = project;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const prepared = await prepareLanding(repository, {
        goal: goal.id,
        merge: settings.merge,
        subject: `Land ${goal.id}: ${goal.title}`,
        files: await stateFile(goal, project),
        author: settings.author,
      });
      switch (prepared.kind) {
        case 'landed':
          return this.landed(goal, repository.base, prepared.commit);
        case 'not-fast-forward': {
          const updated = await bringUpToDate(repository, goal.id, settings.author);
          if (
            updated.kind === 'conflict' ||
            updated.kind === 'lost-lines' ||
            updated.kind === 'refused'
          )
            return this.refuse(goal, refusalText(updated));
          break;
        }
        case 'ready': {
          const { landing } = prepared;
          const result = await landGoal(repository, landing);
          if (result.kind === 'landed') return this.landed(goal, repository.base, landing.to);
          if (result.kind === 'dirty') {
            const files = result.blocked.map(
              ({ dir, files: paths }) => `${paths.join(', ')} in ${dir}`,
            );
            return this.refuse(
              goal,
              `${repository.base} is checked out with changes of ${files.join('; ')}. Commit or stash them, then approve ${goal.id} again.`,
            );
          }
          break;
        }
        default:
          return this.refuse(goal, refusalText(prepared));
      }
    }
    return this.refuse(
      goal,
      `${repository.base} moved ${TRIES} times meanwhile. Approve it again.`,
    );
  }

  private landed(goal: GoalView, base: string, commit: string): Promise<void> {
    return this.record(goal, { type: 'goal.landed', base, commit });
  }

  private refuse(goal: GoalView, reason: string): Promise<void> {
    return this.record(goal, { type: 'landing.refused', reason });
  }

  private async record({ project, id }: GoalView, event: Event): Promise<void> {
    await this.parts.recording.commit([{ time: Date.now(), project, goal: id, event }]);
  }
}

/** In a repository of its own Drover commits STATE.yaml itself, and leaves it to that. */
async function stateFile(
  goal: GoalView,
  { repository, settings, isOwn }: OpenProject,
): Promise<TreeFile[]> {
  if (isOwn || !settings.commitState) return [];
  const base = await readRef(repository, branchRef(repository.base));
  const tip = await readRef(repository, branchRef(goalBranch(goal.id)));
  const content = withLandedGoal(
    base && (await fileIn(repository, base, STATE_FILE)),
    tip && (await fileIn(repository, tip, STATE_FILE)),
    goal.id,
  );
  return content === undefined ? [] : [{ path: STATE_FILE, content }];
}
