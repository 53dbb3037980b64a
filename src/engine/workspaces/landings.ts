/**
 * Lets goals' branches follow what the log says about them: finished goals land in the base branch, and goals that
 * were rolled back go back.
 *
 * Invariants kept here: 2 (the log says it first; everything here may be repeated, and a start repeats it), 4 (a
 * goal lands once), 7 (through landing-checks.ts), 8 (what cannot land waits for a person, with the reason in the log).
 * Checks may take long: nobody is kept waiting for them, and a rollback ends them.
 */
import type { Shell } from '../../agents/shell.js';
import { adviceOf, asError, DroverError, messageOf } from '../../core/errors.js';
import type { Event } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import { goalsToLand } from '../../projections/goal-queries.js';
import { putBackText, putGoalBack } from '../../workspace/goal-moves.js';
import {
  bringUpToDate,
  followLanded,
  landGoal,
  type Prepared,
  type PreparedLanding,
  prepareLanding,
} from '../../workspace/land.js';
import { requireOwnRepository } from '../../workspace/owner.js';
import type { Repository } from '../../workspace/repository.js';
import { rollBack } from '../../workspace/rollback.js';
import type { Recording } from '../recording/recording.js';
import type { Turns } from '../turns.js';
import { LandingChecks } from './landing-checks.js';
import { landingFiles } from './landing-files.js';
import type { OpenProject, Projects } from './projects.js';
import { standingChanges, standingText } from './standing-changes.js';
import { dirtyText, landingRefusal, stayedText } from './refusal-text.js';
import { pushGoal } from './pushing.js';
import { undoneLate } from './undone-late.js';

export interface LandingsParts {
  readonly recording: Recording;
  readonly projects: Projects;
  readonly turns: Turns;
  /** For the checks of what lands in a base branch that has moved. */
  readonly shell: Shell;
  readonly onError: (error: Error) => void;
}

/** How often a lost race is run again; each time somebody else has committed to one of the branches. */
const TRIES = 10;
/** Milliseconds to the second try of a landing that something hinders, and between later ones at most. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 10_000;

/** What came of a try to land: it is decided, the branches have moved, or a tree has to be checked first. */
type Tried = 'over' | 'again' | { readonly unproven: PreparedLanding };

export class Landings {
  private readonly running = new Set<Promise<void>>();
  /** Who waits for a goal to be settled, each to be let go by calling it. */
  private readonly callers = new Map<string, Set<() => void>>();
  /** When what was in the way is looked for again, and milliseconds between the last two looks. */
  private readonly later = new Map<string, { pause: number; timer: NodeJS.Timeout }>();
  private readonly checks: LandingChecks;
  private closing = false;

  constructor(private readonly parts: LandingsParts) {
    this.checks = new LandingChecks(parts.recording, parts.shell);
  }

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
    this.checks.stop(id);
    await turns.take(`${id} branch`, async () => {
      const goal = recording.board.goal(id)!;
      if (goal.rollback !== null) await this.rollBack(goal, goal.rollback);
    });
  }

  /** Resolves when what is under way has ended; what needs checks, or has to wait, is left to the next start. */
  async close(): Promise<void> {
    this.closing = true;
    this.checks.stop();
    for (const { timer } of this.later.values()) clearTimeout(timer);
    await Promise.all(this.running);
  }

  /** Resolves when it is done, or has to wait for checks. Never rejects: what goes wrong is in the log, or reported. */
  async settle(id: string): Promise<void> {
    // What is being landed looks at the goal again when its checks have ended.
    if (this.checks.isRunning(id)) return;
    await new Promise<void>((resolve) => {
      void this.letGo(id, this.trySettle(id), resolve);
    });
  }

  /** Calls `done` when it is settled, or before that when its checks begin. */
  private async letGo(id: string, settled: Promise<void>, done: () => void): Promise<void> {
    const callers = this.callers.get(id) ?? new Set();
    this.callers.set(id, callers.add(done));
    this.running.add(settled);
    await settled;
    this.running.delete(settled);
    callers.delete(done);
    if (callers.size === 0) this.callers.delete(id);
    done();
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
    await this.requireOwn(repository);
    await putGoalBack(repository, goal.id);
    const { tip, kept, undone } = await rollBack(repository, goal.id, commit);
    const { recording } = this.parts;
    const moved = { type: 'branch.moved', commit: tip, ...(kept && { kept: kept.ref }) } as const;
    await recording.commit([
      ...undoneLate(recording.log, recording.board.goal(goal.id)!, commit, undone),
      { time: Date.now(), project: goal.project, goal: goal.id, event: moved },
    ]);
  }

  private async finish(goal: GoalView): Promise<void> {
    if (!isToLand(goal)) return;
    let project: OpenProject | undefined;
    try {
      project = await this.parts.projects.open(goal.project);
      const { push } = project.settings;
      await this.requireOwn(project.repository);
      if (push !== undefined && goal.pushed === null) {
        await requireOwnMoves(project.repository, goal);
        await pushGoal(this.parts.recording, goal, project, push);
      }
      await this.requireSeenTo(goal, project);
      await this.land(goal.id);
    } catch (error) {
      // What nobody thought of must not wait silently either.
      if (!(error instanceof DroverError)) {
        const reason = `${messageOf(error).trim()} Then approve ${goal.id} again.`;
        await this.record(goal, { type: 'landing.refused', reason });
        throw error;
      }
      const reason = adviceOf(error);
      // It may have been approved since. Where its settings cannot be read for now, it may be one that lands by itself.
      const { approved } = this.parts.recording.board.goal(goal.id)!;
      const mayLand = approved || project?.settings.land !== 'approve';
      if (error.code === 'hindered' && mayLand) return this.tryLater(goal, reason);
      await this.record(goal, { type: 'landing.refused', reason });
    }
    this.later.delete(goal.id);
  }

  /** @throws DroverError `conflict` where a person has to see to what changed beside the goal's tasks, and has not */
  private async requireSeenTo({ id }: GoalView, { repository }: OpenProject): Promise<void> {
    const changes = await standingChanges(this.parts.recording.log, repository, { goal: id });
    if (changes.length === 0) return;
    const remedy = `Approve ${id} when that is seen to.`;
    throw new DroverError('conflict', standingText(repository, changes), remedy);
  }

  private async requireOwn(repository: Repository): Promise<void> {
    const log = this.parts.recording.log.knownId();
    if (log !== undefined) await requireOwnRepository(repository, log);
  }

  private async tryLater({ id }: GoalView, why: string): Promise<void> {
    const goal = this.parts.recording.board.goal(id)!;
    const reason = `${why} It is tried again by itself.`;
    if (goal.landingTrouble !== reason)
      await this.record(goal, { type: 'landing.hindered', reason });
    if (this.closing) return;
    const pause = Math.min(2 * (this.later.get(id)?.pause ?? FIRST_PAUSE / 2), LONGEST_PAUSE);
    const timer = setTimeout(() => void this.settle(id), pause);
    this.later.set(id, { pause, timer });
  }

  private async land(id: string): Promise<void> {
    const { recording, projects, turns } = this.parts;
    let checked: PreparedLanding | undefined;
    for (let tries = 0; tries < TRIES; tries += 1) {
      // Both may have changed while checks ran.
      const goal = recording.board.goal(id)!;
      const project = await projects.open(goal.project);
      const { repository, isOwn, settings } = project;
      const mayLand = goal.approved || settings.land === 'auto';
      if (!isToLand(goal) || !mayLand) return;
      const attempt = (): Promise<Tried> => this.tryToLand(goal, project, checked);
      // One at a time in a repository: files that follow one landing would look like somebody's changes to the next.
      const tried = await turns.take(`landing in ${repository.gitDir}`, () =>
        // In a checkout of Drover's own STATE.yaml and pages are committed too, and not while it is moved.
        isOwn ? recording.holdingFiles(goal.project, attempt) : attempt(),
      );
      if (tried === 'over') return;
      if (tried === 'again') {
        checked = undefined;
        continue;
      }
      // Whoever closes or rolls back has stopped what ran until now.
      if (this.closing || !isToLand(recording.board.goal(id)!)) return;
      for (const release of this.callers.get(id) ?? []) release();
      const { to } = tried.unproven;
      const result = await this.checks.run(goal, project, to);
      if (result === 'stopped') return;
      if (result === 'passed') {
        checked = tried.unproven;
        continue;
      }
      const where = `${repository.base} and ${id} together (${to.slice(0, 12)})`;
      return this.refuse(
        goal,
        `The ${result.failed}\nThat is on ${where}. Mend either of them, then approve ${id} again.`,
      );
    }
    const goal = recording.board.goal(id)!;
    return this.refuse(goal, `Its base branch moved ${TRIES} times meanwhile. Approve it again.`);
  }

  /** @param checked to be landed as it is, where both branches are as they were */
  private async tryToLand(
    goal: GoalView,
    project: OpenProject,
    checked: PreparedLanding | undefined,
  ): Promise<Tried> {
    const { repository, settings } = project;
    await requireOwnMoves(repository, goal);
    const prepared: Prepared = checked
      ? { kind: 'ready', landing: checked }
      : await prepareLanding(repository, {
          goal: goal.id,
          merge: settings.merge,
          subject: `Land ${goal.id}: ${goal.title}`,
          files: await landingFiles(goal.id, project),
          author: settings.author,
        });
    switch (prepared.kind) {
      case 'landed': {
        // By a supervisor that was killed before the files of checkouts were there as well, perhaps.
        const stayed = await followLanded(repository, goal.id);
        if (stayed.length === 0) await this.landed(goal, repository.base, prepared.commit);
        else await this.refuse(goal, stayedText(goal.id, repository.base, stayed));
        return 'over';
      }
      case 'not-fast-forward': {
        const updated = await bringUpToDate(repository, goal.id, settings.author);
        if (
          updated.kind !== 'conflict' &&
          updated.kind !== 'lost-lines' &&
          updated.kind !== 'refused'
        )
          return 'again';
        await this.refuse(goal, landingRefusal(updated, goal.id, repository.base));
        return 'over';
      }
      case 'ready': {
        const { landing } = prepared;
        if (!(await this.checks.areProven(goal, project, landing))) return { unproven: landing };
        const result = await landGoal(repository, landing);
        if (result.kind === 'lost-race') return 'again';
        if (result.kind === 'landed') await this.landed(goal, repository.base, landing.to);
        else if (result.kind === 'stayed')
          await this.refuse(goal, stayedText(goal.id, repository.base, result.stayed));
        else await this.refuse(goal, dirtyText(goal.id, repository.base, result.blocked));
        return 'over';
      }
      default:
        await this.refuse(goal, landingRefusal(prepared, goal.id, repository.base));
        return 'over';
    }
  }

  private landed(goal: GoalView, base: string, commit: string): Promise<void> {
    this.checks.forget(goal.id);
    return this.record(goal, { type: 'goal.landed', base, commit });
  }

  private refuse(goal: GoalView, reason: string): Promise<void> {
    return this.record(goal, { type: 'landing.refused', reason });
  }

  private async record({ project, id }: GoalView, event: Event): Promise<void> {
    await this.parts.recording.commit([{ time: Date.now(), project, goal: id, event }]);
  }
}

/** What got onto the branch past its merges neither lands nor is pushed; whoever approves hears of it. */
async function requireOwnMoves(repository: Repository, { id }: GoalView): Promise<void> {
  const back = await putGoalBack(repository, id);
  if (back) throw new DroverError('conflict', putBackText(back), `Approve ${id} again.`);
}

/** What was in the way has to be seen to by a person, whose approval takes the trouble away. */
const isToLand = (goal: GoalView): boolean => {
  const { state, merged, landed, landingTrouble, approved, rollback } = goal;
  const isOpen = state === 'DONE' && merged && landed === null && rollback === null;
  return isOpen && (landingTrouble === null || approved);
};
