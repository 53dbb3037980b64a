/**
 * One claim's files: its worktree, its commits, and its place in the goal's merge train.
 *
 * Invariants kept here: 4 (work that an earlier claim finished is merged, not made again), 5 (git itself refuses
 * the commits and merges of a claim that lost its task: see workspace/claims.ts), 8 (what is not merged is kept).
 */
import {
  ChangedOutside,
  type ClaimContext,
  type Files,
  type Integration,
  type Work,
  type Workspace,
} from '../../agents/files.js';
import type { CheckResult } from '../../agents/check.js';
import { type Purpose, runCheck, runSetup, type Shell } from '../../agents/shell.js';
import { DroverError } from '../../core/errors.js';
import { ownerOf } from '../../core/ids.js';
import type { Json } from '../../core/plan.js';
import type { Claim as JobClaim } from '../../queues/claim.js';
import { openGoalBranch, taskBranch } from '../../workspace/branches.js';
import { checkpoint, requireNoNestedGit } from '../../workspace/checkpoint.js';
import { beginClaim, type Claim, endClaim, isHeldBy } from '../../workspace/claims.js';
import { carryOver, earlierWork } from '../../workspace/earlier-work.js';
import { requireOwnRepository } from '../../workspace/owner.js';
import { settleLeftovers } from '../../workspace/leftovers.js';
import { createWorktree } from '../../workspace/worktree.js';
import type { Worktree } from '../../workspace/worktree-record.js';
import { removeWorktree } from '../../workspace/prune.js';
import { refusalText } from './refusal-text.js';
import type { GoalTrain } from './goal-train.js';
import { lookOutside, type Outside, requireUntouched, unclearChanges } from './outside-changes.js';
import type { OpenProject } from './projects.js';
import { settingUp } from './set-ups.js';

export interface ClaimFilesParts {
  readonly open: (project: string) => Promise<OpenProject>;
  readonly train: GoalTrain;
  readonly shell: Shell;
  /** The log whose goals these are; undefined where Redis does not know it. */
  readonly log: () => Promise<string | undefined>;
}

interface Opened {
  readonly project: OpenProject;
  readonly claim: Claim;
  readonly worktree: Worktree;
  readonly workspace: Workspace;
  readonly outside: Outside;
}

export class ClaimFiles implements Files {
  private begun: Promise<{ project: OpenProject; claim: Claim }> | undefined;
  private working: Promise<Opened> | undefined;
  private asked = false;
  private merged = false;

  /** @param agent names the holder of the claim */
  constructor(
    private readonly parts: ClaimFilesParts,
    private readonly held: JobClaim,
    private readonly agent: string,
    private readonly context: ClaimContext,
  ) {}

  get opened(): boolean {
    return this.asked;
  }

  async open(left?: string): Promise<Workspace> {
    this.asked = true;
    this.working ??= this.create(left);
    try {
      return (await this.working).workspace;
    } catch (error) {
      // What is in the way now may be gone at the next call.
      this.working = undefined;
      throw error;
    }
  }

  async commit(message: string): Promise<Work | null> {
    const { project, worktree, claim, outside } = await this.working!;
    await this.tellUnclear(project, worktree, outside);
    await requireUntouched(project.repository, claim, worktree, outside);
    const { author } = project.settings;
    const made = await checkpoint(project.repository, worktree, claim, { message, author });
    await requireNoNestedGit(project.repository, worktree, made.head);
    // What this claim has made of it again is kept, and not merged beside it.
    if (claim.merged !== undefined) return { start: claim.start, head: claim.merged };
    return made.hasWork ? { start: claim.start, head: made.head } : null;
  }

  async check(): Promise<CheckResult> {
    const { project, worktree, claim } = await this.working!;
    const { run, timeout } = this.held.data.task.check!;
    const result = await runCheck(this.parts.shell, this.purpose, {
      command: run,
      timeout,
      cwd: worktree.dir,
      sandbox: project.settings.sandbox,
      signal: this.context.signal,
      onOutput: this.context.log,
    });
    return { ...result, commit: claim.start };
  }

  async integrate(work: Work, result: Json): Promise<Integration> {
    const { project, claim } = await this.begin();
    const { title, task } = this.held.data;
    const integration = await this.parts.train.ride(
      project,
      {
        goalTitle: title,
        project: this.held.data.project,
        claim: { ...claim },
        work: { ...work },
        name: task.name,
        title: task.title ?? task.name,
        needs: task.needs,
        agent: this.agent,
        attempt: this.held.attemptsMade + 1,
        result,
        check: task.check ? { ...task.check } : null,
        env: task.env,
        secrets: task.secrets,
      },
      this.context,
    );
    this.merged = integration.kind === 'merged';
    return integration;
  }

  async close(): Promise<void> {
    if (!this.begun) return;
    const opened = await this.working?.catch(() => undefined);
    const { project, claim } = await this.begun;
    const { repository, settings } = project;
    let hasMore = false;
    let changed: unknown;
    if (!this.merged && opened) {
      // An attempt that fails by itself may leave for the next one what would be no change any more then.
      await this.tellUnclear(project, opened.worktree, opened.outside);
      changed = await requireUntouched(repository, claim, opened.worktree, opened.outside).catch(
        (error: unknown) => error,
      );
      const message = `Keep what claim ${claim.claim} of ${claim.task} left`;
      const { author } = settings;
      const options = { message, author, mayBeGone: true, leavesOut: true };
      const { nested, leftOut } = await checkpoint(repository, opened.worktree, claim, options);
      // Of a link the attempt's error says all there is.
      hasMore =
        nested.some(({ hasObjects }) => hasObjects) ||
        leftOut.some(({ target }) => target === undefined);
    }
    // Its own merge has ended it; one that an earlier claim made has not.
    const isOver = this.merged && (claim.claim === 1 || !(await isHeldBy(repository, claim)));
    if (!isOver) await endClaim(repository, claim);
    // What a commit cannot hold, such as the history of a clone, stays where it is.
    if (opened && !hasMore) await removeWorktree(opened.worktree);
    if (claim.claim > 1) await settleLeftovers(repository, claim, settings.author);
    if (changed instanceof ChangedOutside) throw changed;
  }

  private async tellUnclear(
    { repository }: OpenProject,
    worktree: Worktree,
    outside: Outside,
  ): Promise<void> {
    const changes = await unclearChanges(repository, worktree, outside);
    if (changes.length > 0) await this.context.tell({ type: 'outside.changed', changes });
  }

  private async begin(): Promise<{ project: OpenProject; claim: Claim }> {
    this.begun ??= this.take();
    try {
      return await this.begun;
    } catch (error) {
      this.begun = undefined;
      throw error;
    }
  }

  private async take(): Promise<{ project: OpenProject; claim: Claim }> {
    const { goal, project: name, task } = this.held.data;
    const project = await this.parts.open(name);
    const log = await this.parts.log();
    if (log !== undefined) await requireOwnRepository(project.repository, log);
    await openGoalBranch(project.repository, goal, project.settings.author);
    const { generation } = ownerOf(this.held.jobId);
    const request = {
      goal,
      task: task.id,
      claim: this.held.number,
      generation,
      owner: this.agent,
    };
    return { project, claim: await beginClaim(project.repository, request) };
  }

  private async create(left: string | undefined): Promise<Opened> {
    const { project, claim } = await this.begin();
    const { repository, settings } = project;
    // What came after the last finished step is found among `earlier`, and not carried over: it may be half of a step
    // that is run again.
    const carried =
      left === undefined ? undefined : await carryOver(repository, claim, claim.merged ?? left);
    // Nobody would make it again.
    if (carried && carried.kind !== 'merged') throw leftBehind(claim, refusalText(carried));
    if (claim.claim > 1) await settleLeftovers(repository, claim, settings.author);
    const earlier = await earlierWork(repository, claim.task);
    const worktree = await createWorktree(repository, claim, {
      links: settings.links,
      ...(carried && { files: carried.tree }),
    });
    if (settings.setup.length > 0) {
      await settingUp(repository, () =>
        runSetup(this.parts.shell, this.purpose, settings.setup, {
          cwd: worktree.dir,
          sandbox: settings.sandbox,
          signal: this.context.signal,
          onOutput: this.context.log,
        }),
      );
    }
    const branch = taskBranch(claim.task);
    const workspace = {
      dir: worktree.dir,
      branch,
      base: claim.start,
      earlier: earlier.map(({ commit }) => commit),
      sandbox: settings.sandbox,
    };
    // Set-up is the project's, and may do what it likes: git-lfs and husky write settings and hooks.
    const outside = await lookOutside(repository, worktree);
    return { project, claim, worktree, workspace, outside };
  }

  private get purpose(): Purpose {
    const { goal, project, task } = this.held.data;
    const attempt = this.held.attemptsMade + 1;
    const { env, secrets } = task;
    return { goal, task: task.id, project, attempt, claim: this.held.number, env, secrets };
  }
}

const leftBehind = ({ task }: Claim, why: string): DroverError =>
  new DroverError(
    'conflict',
    `What finished steps of ${task} left in its files cannot be merged any more: ${why}`,
    `\`drover retry ${task} --from-scratch\` lets them run again.`,
  );
