/** What the loop asks of whoever keeps the projects' repositories: a task's files, and their way into the goal's branch. */
import { DroverError } from '../core/errors.js';
import type { AgentEvent } from '../core/events.js';
import type { Json } from '../core/plan.js';
import type { CheckResult } from './check.js';
import type { SandboxSettings } from './sandbox.js';

/** How work on files is heard and stopped. */
export interface FilesContext {
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

/** How one claim's files are heard and stopped. */
export interface ClaimContext extends FilesContext {
  /** Puts what was found into the log. */
  readonly tell: (event: AgentEvent) => Promise<void>;
}

/** A worktree of the task's own. */
export interface Workspace {
  /** Absolute path; commands run in it. */
  readonly dir: string;
  /** `autonomous/task-123` */
  readonly branch: string;
  /** The commit of the goal's branch that it was started from. */
  readonly base: string;
  /** Commits that hold what earlier attempts left unmerged, the newest first. */
  readonly earlier: readonly string[];
  /** How the project wants commands to be run in it. */
  readonly sandbox: SandboxSettings;
}

/** A task's finished work: a commit, and the one that it started from. */
export interface Work {
  readonly start: string;
  readonly head: string;
}

/** What came of merging a task's work into its goal's branch. */
export type Integration =
  | {
      readonly kind: 'merged';
      readonly commit: string;
      /** The goal's branch. */
      readonly branch: string;
      /** Tasks that were tested and merged in one go, this one included. */
      readonly together: readonly string[];
      /** Run on `commit`, or on a later commit of the same train. */
      readonly checks: readonly CheckResult[];
    }
  /** A conflict, a check that fails on the merged tree, or work that must not be merged. */
  | {
      readonly kind: 'refused';
      /** For the next attempt: what it has to deal with. */
      readonly reason: string;
      readonly checks: readonly CheckResult[];
    }
  /** Another claim holds the task by now. */
  | { readonly kind: 'stale' };

/** An attempt has moved branches that are none of its business. */
export class ChangedOutside extends DroverError {
  constructor(message: string) {
    super('conflict', message);
  }
}

/** One claim's files. Nothing is touched before `open`, so tasks without files cost nothing. */
export interface Files {
  /** True once somebody asked for the workspace. */
  readonly opened: boolean;
  /** The task's workspace; created at the first call. `left`: what steps of earlier claims committed. */
  open(left?: string): Promise<Workspace>;
  /**
   * Commits what is there to the task's branch. Null where the task has changed nothing since its base.
   * @throws ChangedOutside where more than that branch was changed
   */
  commit(message: string): Promise<Work | null>;
  /** Runs the task's check in the workspace as it is, for a task that has nothing to merge. */
  check(): Promise<CheckResult>;
  /** Merges the work once the project's checks and the task's pass on the merged tree. */
  integrate(work: Work, result: Json): Promise<Integration>;
  /**
   * Removes the workspace; what is not merged is committed and kept, for the next attempt to see.
   * @throws ChangedOutside after that, as `commit` does
   */
  close(): Promise<void>;
}
