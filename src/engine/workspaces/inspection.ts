/** Runs checks on exactly the tree of a commit (invariant 7), in a worktree that is there for that alone. */
import type { CheckResult } from '../../agents/check.js';
import type { FilesContext } from '../../agents/files.js';
import { type Purpose, runCheck, type Shell } from '../../agents/shell.js';
import { removeWorktree } from '../../workspace/prune.js';
import type { Inspection } from '../../workspace/train.js';
import { createCheckWorktree } from '../../workspace/worktree.js';
import type { OpenProject } from './projects.js';
import { settingUp } from './set-ups.js';

/** A check, and the task whose check it is; none for the project's. */
export interface CheckToRun {
  readonly task: string | null;
  readonly purpose: Purpose;
  readonly run: string;
  readonly timeout: number;
}

export interface Checked {
  readonly task: string | null;
  readonly result: CheckResult;
}

/** On whose behalf a commit is inspected. */
export interface Inspector {
  /** Whose place the worktree has. */
  readonly claim: Parameters<typeof createCheckWorktree>[2];
  /** For set-up commands. */
  readonly purpose: Purpose;
  readonly shell: Shell;
  readonly context: FilesContext;
}

/** The project's checks have no task's variables. */
export const projectChecks = ({ settings }: OpenProject, purpose: Purpose): readonly CheckToRun[] =>
  settings.check.map((check) => ({
    task: null,
    purpose: { ...purpose, env: {}, secrets: [] },
    ...check,
  }));

/** Runs the checks one after the other, up to the first that fails: the commit gets nowhere then. */
export async function inspectCommit(
  { repository, settings }: OpenProject,
  commit: string,
  checks: readonly CheckToRun[],
  { claim, purpose: own, shell, context }: Inspector,
): Promise<Inspection<readonly Checked[]>> {
  if (checks.length === 0) return { passed: true, evidence: [] };
  const { links, sandbox, setup } = settings;
  const worktree = await createCheckWorktree(repository, commit, claim, { links });
  try {
    const { signal, log: onOutput } = context;
    const place = { cwd: worktree.dir, sandbox, signal, onOutput };
    const run = (purpose: Purpose, command: string, timeout: number): Promise<CheckResult> =>
      runCheck(shell, purpose, { ...place, command, timeout });
    for (const { run: command, timeout } of setup) {
      const result = await settingUp(repository, () => run(own, command, timeout));
      // What cannot be set up cannot be checked, and that is the fault of what is in the commit.
      if (!result.passed)
        return { passed: false, evidence: [{ task: null, result: { ...result, commit } }] };
    }
    const evidence: Checked[] = [];
    for (const { task, purpose, run: command, timeout } of checks) {
      const result = await run(purpose, command, timeout);
      evidence.push({ task, result: { ...result, commit } });
      if (!result.passed) return { passed: false, evidence };
    }
    return { passed: true, evidence };
  } finally {
    await removeWorktree(worktree);
  }
}
