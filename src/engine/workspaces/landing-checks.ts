/**
 * Proves that what a base branch is to become passes the project's checks, before it moves.
 *
 * Invariants kept here: 7 (a tree lands only if the checks passed on it; only files that Drover writes itself may differ)
 * and 8 (each check that ran here is in the log, as the goal's). The checks of a merge into the goal's branch count
 * as long as nothing but the goal has come to the base branch.
 */
import { failureOf } from '../../agents/check.js';
import type { Purpose, Shell } from '../../agents/shell.js';
import { messageOf } from '../../core/errors.js';
import type { GoalView } from '../../core/goal.js';
import { changesBetween } from '../../workspace/changes.js';
import type { PreparedLanding } from '../../workspace/land.js';
import { isOwnPath } from '../../workspace/merge.js';
import type { Recording } from '../recording/recording.js';
import { inspectCommit, projectChecks } from './inspection.js';
import type { OpenProject } from './projects.js';

export class LandingChecks {
  /** What stops the checks of a goal, while they run. */
  private readonly running = new Map<string, AbortController>();
  /** Commits whose checks passed here, by goal: an approval that is repeated need not wait for them again. */
  private readonly passed = new Map<string, Map<string, ReadonlySet<string>>>();

  constructor(
    private readonly recording: Recording,
    private readonly shell: Shell,
  ) {}

  isRunning(goal: string): boolean {
    return this.running.has(goal);
  }

  /** Ends the checks of a goal, or of all; `run` then answers `stopped`. */
  stop(goal?: string): void {
    for (const [id, controller] of this.running) {
      if (goal === undefined || goal === id) controller.abort(new Error('no longer asked for'));
    }
  }

  forget(goal: string): void {
    this.passed.delete(goal);
  }

  /** Whether the landing's tree is one on which each of the project's checks passed. */
  async areProven(
    goal: GoalView,
    { repository, settings }: OpenProject,
    { tip, to }: PreparedLanding,
  ): Promise<boolean> {
    if (settings.check.length === 0) return true;
    const here = this.passed.get(goal.id) ?? [];
    const proofs = [...here, [tip, this.ofMerge(goal, tip)] as const];
    for (const [commit, commands] of proofs) {
      if (!settings.check.every(({ run }) => commands.has(run))) continue;
      const changes = await changesBetween(repository, commit, to);
      if (changes.every(({ path }) => isOwnPath(path))) return true;
    }
    return false;
  }

  /** Runs the checks on the commit. @returns `passed`, `stopped`, or what failed, in a sentence that begins small */
  async run(
    goal: GoalView,
    project: OpenProject,
    commit: string,
  ): Promise<'passed' | 'stopped' | { readonly failed: string }> {
    const controller = new AbortController();
    const { signal } = controller;
    this.running.set(goal.id, controller);
    try {
      const { id } = goal;
      const purpose: Purpose = {
        goal: id,
        // No task asked for it.
        task: id,
        project: goal.project,
        attempt: 1,
        claim: 1,
        env: {},
        secrets: [],
      };
      const { evidence } = await inspectCommit(project, commit, projectChecks(project, purpose), {
        claim: { goal: id, task: id, claim: 1, owner: 'landing' },
        purpose,
        shell: this.shell,
        context: { signal, log: () => undefined },
      });
      await this.recording.commit(
        evidence.map(({ result }) => ({
          time: Date.now(),
          project: goal.project,
          goal: id,
          event: { type: 'check.finished', ...result } as const,
        })),
      );
      const bad = evidence.find(({ result }) => !result.passed);
      if (bad) return { failed: failureOf(bad.result) };
      const commands = new Set(evidence.map(({ result }) => result.command));
      this.passed.set(id, new Map([[commit, commands]]));
      return 'passed';
    } catch (error) {
      if (signal.aborted) return 'stopped';
      // A set-up that fails, or a worktree that cannot be made: what could not be checked does not land.
      return { failed: `checks could not be run: ${messageOf(error)}` };
    } finally {
      this.running.delete(goal.id);
    }
  }

  /** The commands that passed on the commit when it was merged into the goal's branch. */
  private ofMerge({ tasks }: GoalView, commit: string): ReadonlySet<string> {
    const merged = [...tasks.values()].find((task) => task.commit === commit);
    if (!merged) return new Set();
    const { id: task } = merged.spec;
    const checks = this.recording.log.events({ task, types: ['check.finished'] });
    return new Set(
      [...checks].flatMap(({ event }) =>
        event.type === 'check.finished' && event.passed && event.commit === commit
          ? [event.command]
          : [],
      ),
    );
  }
}
