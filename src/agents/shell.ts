/** The shell agent, and the checks of every agent: a task's commands, run in its project's folder. */
import { DroverError } from '../core/errors.js';
import type { Json } from '../core/plan.js';
import type { Claim } from '../queues/claim.js';
import type { TaskContext } from './context.js';
import { commandEnvironment } from './environment.js';
import type { CheckResult, Handler } from './loop.js';
import { type CommandResult, runCommand } from './process.js';
import { redactor } from './redact.js';

export interface Shell {
  /** The folder of a project. */
  readonly folder: (project: string) => Promise<string>;
  /** The agent's own environment, of which commands get little (see environment.ts). */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Drover's data directory, where running commands are noted so that a later start can end orphans. */
  readonly dataDir: string;
}

/**
 * Runs the task's `run`. The result is the last line of its standard output, as JSON where it is JSON, so that
 * a command hands a value on by printing it last.
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
    // No command is started under a claim that turns out to be refused.
    await task.needs();
    const result = await run(shell, task, task.run, (line) => task.log(line));
    // A timeout or cancel shows as the signal's own reason.
    task.signal.throwIfAborted();
    if (result.exitCode === 0) return lastValue(result.stdout);
    throw new Error(`The command ${howItEnded(result)}${tail(result.output)}`);
  };
}

/** A check that cannot run has not passed (invariant 7). */
export function checkRunner(
  shell: Shell,
): (task: TaskContext, claim: Claim) => Promise<CheckResult> {
  return async (task, claim) => {
    const { run: command, timeout } = claim.data.task.check!;
    task.log(`check: ${command}`);
    const result = await run(shell, task, command, (line) => task.log(line), timeout);
    // Cancelled, timed out as a whole, or lost: the attempt ends with that reason, not with its check's.
    task.signal.throwIfAborted();
    return {
      command,
      exitCode: result.exitCode,
      output:
        result.ended === 'exited'
          ? result.output
          : `${result.output}\n(${howItEnded(result)})`.trim(),
      durationMs: Math.round(result.durationMs),
      passed: result.ended === 'exited' && result.exitCode === 0,
    };
  };
}

async function run(
  shell: Shell,
  task: TaskContext,
  command: string,
  onOutput: (line: string) => void,
  timeout?: number,
): Promise<CommandResult> {
  const { env, secretValues, missing } = commandEnvironment(
    shell.environment,
    task.env,
    task.secrets,
    {
      DROVER_GOAL: task.goal.id,
      DROVER_TASK: task.id,
      DROVER_PROJECT: task.project,
      DROVER_ATTEMPT: String(task.attempt),
    },
  );
  if (missing.length > 0) {
    throw new DroverError(
      'bad-input',
      `${task.id} needs secrets that this agent does not have: ${missing.join(', ')}.`,
      'Set them in the environment of the agent.',
    );
  }
  return runCommand({
    command,
    cwd: await shell.folder(task.project),
    env,
    timeout,
    signal: task.signal,
    onOutput,
    redact: redactor(secretValues),
    registry: { dir: shell.dataDir, task: task.id, claim: task.claim },
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
