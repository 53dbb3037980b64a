/** The shell agent, and the checks of every agent: a task's commands, run in its worktree. */
import { Buffer } from 'node:buffer';
import { DroverError } from '../core/errors.js';
import type { Json } from '../core/plan.js';
import { redisSocketOf } from '../queues/redis-process.js';
import type { TaskContext } from './context.js';
import { commandEnvironment } from './environment.js';
import type { CheckResult } from './check.js';
import type { Handler } from './loop.js';
import { type CommandResult, runCommand } from './process.js';
import { redactor } from './redact.js';
import { fenceFor, type SandboxSettings } from './sandbox.js';

export interface Shell {
  /** The agent's own environment, of which commands get little (see environment.ts). */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Drover's data directory, where running commands are noted so that a later start can end orphans. */
  readonly dataDir: string;
}

/** On whose behalf a command runs: what it finds in its environment, and in whose name it is noted. */
export interface Purpose {
  readonly goal: string;
  readonly task: string;
  readonly project: string;
  readonly attempt: number;
  readonly claim: number;
  /** Variables of the task's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables to take from the agent's environment. */
  readonly secrets: readonly string[];
}

export interface ShellCommand {
  readonly command: string;
  readonly cwd: string;
  readonly sandbox: SandboxSettings;
  /** Milliseconds; no limit unless given. */
  readonly timeout?: number | undefined;
  readonly signal: AbortSignal;
  readonly onOutput: (line: string) => void;
}

/**
 * Runs the task's `run` in a worktree of its own. The result is the last line of its standard output, as JSON
 * where it is JSON, so that a command hands a value on by printing it last.
 */
export function shellHandler(shell: Shell): Handler {
  return async (task) => {
    if (task.run === undefined) {
      throw new DroverError(
        'bad-input',
        `${task.id} has no command, and its agent runs commands only.`,
        'Give the task a `run`, or a capability whose agent reads `with`.',
      );
    }
    // No command is started under a claim that turns out to be refused: the worktree is opened after the claim.
    const { dir, sandbox } = await task.workspace();
    const told = await toldTo(task);
    const result = await runFor(
      shell,
      purposeOf(task),
      {
        command: task.run,
        cwd: dir,
        sandbox,
        signal: task.signal,
        onOutput: (line) => task.log(line),
      },
      told,
    );
    // A timeout or cancel shows as the signal's own reason.
    task.signal.throwIfAborted();
    if (result.exitCode === 0) return lastValue(result.stdout);
    throw new Error(`The command ${howItEnded(result)}${tail(result.output)}`);
  };
}

/** Runs a check. One that cannot run has not passed (invariant 7). */
export async function runCheck(
  shell: Shell,
  purpose: Purpose,
  command: ShellCommand,
): Promise<CheckResult> {
  command.onOutput(`check: ${command.command}`);
  const result = await runFor(shell, purpose, command);
  // Cancelled, timed out as a whole, or lost: the attempt ends with that reason, not with its check's.
  command.signal.throwIfAborted();
  return {
    command: command.command,
    exitCode: result.exitCode,
    output:
      result.ended === 'exited'
        ? result.output
        : `${result.output}\n(${howItEnded(result)})`.trim(),
    durationMs: Math.round(result.durationMs),
    passed: result.ended === 'exited' && result.exitCode === 0,
  };
}

/** Runs the commands that prepare a worktree, such as `npm ci`. @throws Error where one fails */
export async function runSetup(
  shell: Shell,
  purpose: Purpose,
  commands: readonly { readonly run: string; readonly timeout: number }[],
  place: Omit<ShellCommand, 'command' | 'timeout'>,
): Promise<void> {
  for (const { run: command, timeout } of commands) {
    place.onOutput(`setup: ${command}`);
    const result = await runFor(shell, purpose, { ...place, command, timeout });
    place.signal.throwIfAborted();
    if (result.exitCode === 0) continue;
    throw new Error(`The set-up \`${command}\` ${howItEnded(result)}${tail(result.output)}`);
  }
}

export const purposeOf = (task: TaskContext): Purpose => ({
  goal: task.goal.id,
  task: task.id,
  project: task.project,
  attempt: task.attempt,
  claim: task.claim,
  env: task.env,
  secrets: task.secrets,
});

/** Bytes of a variable at most; Linux starts no program with one of 128 KiB. */
const MAX_VARIABLE = 100_000;

/** What a person and signals told the task, as variables of its command. */
async function toldTo(task: TaskContext): Promise<Record<string, string>> {
  const [note, signals] = await Promise.all([task.note(), task.signals()]);
  const told = {
    ...(note !== undefined && { DROVER_NOTE: note.replaceAll('\0', '') }),
    ...(Object.keys(signals).length > 0 && { DROVER_SIGNALS: JSON.stringify(signals) }),
  };
  for (const [name, value] of Object.entries(told)) {
    if (Buffer.byteLength(value) <= MAX_VARIABLE) continue;
    throw new DroverError(
      'too-large',
      `${task.id} was told more than fits into ${name}: ${Buffer.byteLength(value)} bytes.`,
      `Send ${MAX_VARIABLE} bytes at most, and the rest by way of a file.`,
    );
  }
  return told;
}

function runFor(
  shell: Shell,
  purpose: Purpose,
  command: ShellCommand,
  told: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const { goal, task, project, attempt, claim, secrets } = purpose;
  const { env, secretValues, missing } = commandEnvironment(
    shell.environment,
    purpose.env,
    secrets,
    {
      ...told,
      DROVER_GOAL: goal,
      DROVER_TASK: task,
      DROVER_PROJECT: project,
      DROVER_ATTEMPT: String(attempt),
    },
  );
  if (missing.length > 0) {
    throw new DroverError(
      'bad-input',
      `${task} needs secrets that this agent does not have: ${missing.join(', ')}.`,
      'Set them in the environment of the agent.',
    );
  }
  // A network of its own does not keep a command from a socket that is a file: Drover's own would give it every task.
  const hide = [...command.sandbox.hide, redisSocketOf(shell.dataDir)];
  const fence = fenceFor({ ...command.sandbox, hide }, command.cwd, env);
  const { wrap, reason } = { reason: undefined, ...fence };
  if (reason !== undefined) command.onOutput(`sandbox: none, because ${reason}`);
  return runCommand({
    ...command,
    // Inside, the system's folder for temporary files is the only one that can be written.
    env: wrap ? { ...env, TMPDIR: '/tmp' } : env,
    wrap,
    redact: redactor(secretValues),
    registry: { dir: shell.dataDir, task, claim },
  });
}

function lastValue(stdout: string): Json {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  if (line === '') return null;
  try {
    return JSON.parse(line) as Json;
  } catch {
    return line;
  }
}

function howItEnded({ ended, exitCode, signal, error }: CommandResult): string {
  if (ended === 'failed-to-start') return `could not be started: ${error ?? 'unknown reason'}`;
  if (ended === 'timeout') return 'was ended by its timeout';
  if (ended === 'aborted') return 'was ended from outside';
  return exitCode === null
    ? `was ended by ${signal ?? 'a signal'}`
    : `ended with exit status ${exitCode}`;
}

/** The last lines of output, so that the reason is seen without opening the log. */
function tail(output: string): string {
  const lines = output.trim().split('\n').slice(-5).join('\n').slice(-1_000);
  return lines === '' ? '' : `:\n${lines}`;
}
