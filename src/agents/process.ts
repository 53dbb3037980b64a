import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { type Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

import { messageOf } from '../core/errors.js';
import { recordRun, type RecordedRun, type Registry } from './orphans.js';
import { CommandOutput, type CollectedOutput, type OutputListener } from './output.js';
import {
  adoptGroup,
  endRun,
  hasMembers,
  leaderOf,
  markerVariable,
  releaseGroup,
  type Leader,
} from './process-group.js';
import { redactor, type Redactor } from './redact.js';

/**
 * Runs one shell command, whatever it does: ignores signals, leaves children behind, writes without end.
 *
 * Kept here:
 * - When `runCommand` settles, the command and everything in its process group are gone; after a timeout or an
 *   abort also what left the group (see process-group.ts for how such processes are found, and which are not).
 *   A command that ended by itself may leave a daemon: one that made its own session and closed its output.
 * - Memory is bounded by `maxOutput`, however much is written.
 * - No secret that `redact` knows leaves this file, neither in the result nor through `onOutput`.
 */

export interface CommandOptions {
  /** For `/bin/sh -c`. Standard input is closed. */
  command: string;
  /** Turns the argument list into the one that is started in its place, such as a sandbox with it inside. */
  wrap?: ((argv: readonly string[]) => readonly string[]) | undefined;
  cwd: string;
  /** The whole environment; nothing is inherited. */
  env: Record<string, string>;
  /** Milliseconds until the command is ended; none by default. */
  timeout?: number | undefined;
  /** Aborting it ends the command. */
  signal?: AbortSignal | undefined;
  /**
   * Called for every line, in order, and not after the promise has settled. Lines are plain text, redacted and
   * at most 8,192 characters long. A command may write millions of them, and the listener must not throw.
   */
  onOutput?: OutputListener | undefined;
  /** Bytes of output that are kept, default 65,536: of longer output the middle is left out. */
  maxOutput?: number | undefined;
  redact?: Redactor | undefined;
  /** Milliseconds between TERM and KILL, default 2000. */
  killGrace?: number | undefined;
  /** Where to note the running command, so that `endOrphans` can end it if this process dies. */
  registry?: Registry | undefined;
}

export interface CommandResult {
  /** Null if the command was ended by a signal, or did not start. */
  exitCode: number | null;
  /** The signal that ended the command, such as `SIGTERM`. */
  signal: string | null;
  /** stdout and stderr as they came, plain text, redacted, head and tail of at most `maxOutput` bytes. */
  output: string;
  /** The end of stdout alone, as long at most. */
  stdout: string;
  /** Bytes left out in the middle of `output`. */
  truncatedBytes: number;
  durationMs: number;
  /** `exited` also stands for a signal from outside. */
  ended: 'exited' | 'timeout' | 'aborted' | 'failed-to-start';
  /** Why it did not start, or which processes could not be ended. */
  error?: string;
}

type Outcome = Omit<CommandResult, keyof CollectedOutput | 'durationMs'>;

const DEFAULT_MAX_OUTPUT = 65_536;
const DEFAULT_KILL_GRACE_MS = 2_000;
/** How long, after the shell has ended, its children may still write before they are ended too. */
const LINGER_MS = 250;
/** What a pipe holds is read within so many turns of the event loop. */
const TURNS_TO_DRAIN = 10;
/** A longer timer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Runs a command. Never rejects because of what the command is or does: the result tells. */
export async function runCommand(options: CommandOptions): Promise<CommandResult> {
  const begun = performance.now();
  const output = new CommandOutput(
    options.maxOutput ?? DEFAULT_MAX_OUTPUT,
    options.redact ?? redactor([]),
    options.onOutput,
  );
  const outcome = await runRecorded(options, output);
  return { ...outcome, ...output.end(), durationMs: Math.round(performance.now() - begun) };
}

async function runRecorded(options: CommandOptions, output: CommandOutput): Promise<Outcome> {
  const marker = randomUUID();
  let record: RecordedRun | undefined;
  try {
    await assertFolder(options.cwd);
    record = options.registry && (await recordRun(options.registry, marker));
  } catch (error) {
    return notStarted('failed-to-start', messageOf(error));
  }
  const outcome = options.signal?.aborted
    ? notStarted('aborted')
    : await start(options, marker, record, output);
  // What could not be ended stays on record, for whoever looks next. A record that cannot be removed does no
  // harm: its owner is this process, and later its run is found to be gone.
  if (outcome.error === undefined || outcome.ended === 'failed-to-start') {
    await record?.remove().catch(() => undefined);
  }
  return outcome;
}

/** Without this, a missing folder would be reported as a missing `/bin/sh`. */
async function assertFolder(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() !== true) {
    throw new Error(`cannot run in ${path}: there is no such folder`);
  }
}

const notStarted = (ended: Outcome['ended'], error?: string): Outcome => ({
  exitCode: null,
  signal: null,
  ended,
  ...(error === undefined ? {} : { error }),
});

async function start(
  options: CommandOptions,
  marker: string,
  record: RecordedRun | undefined,
  output: CommandOutput,
): Promise<Outcome> {
  const plain = ['/bin/sh', '-c', options.command];
  const [program, ...args] = options.wrap?.(plain) ?? plain;
  let child;
  try {
    child = spawn(program!, args, {
      cwd: options.cwd,
      env: { ...options.env, ...markerVariable(marker) },
      // A session, and so a process group, of its own.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid === undefined) await once(child, 'spawn');
  } catch (error) {
    return notStarted('failed-to-start', `cannot start ${program}: ${messageOf(error)}`);
  }
  // After the lines above the id is there.
  const pid = child.pid as number;
  adoptGroup(pid);
  try {
    read(child.stdout, (chunk) => output.push(chunk, 'stdout'));
    read(child.stderr, (chunk) => output.push(chunk, 'stderr'));
    const watched = watch(child, options);
    const leader = await leaderOf(pid);
    await record?.leads(leader).catch(() => undefined);
    return await follow(watched, { marker, leader }, options.killGrace ?? DEFAULT_KILL_GRACE_MS);
  } finally {
    releaseGroup(pid);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/**
 * One chunk in each turn of the event loop: left to itself, Node reads megabytes at a time from a command that
 * writes without end, and everything else in this process would wait some 30 ms for its turn.
 */
function read(stream: Readable, take: (chunk: Buffer) => void): void {
  stream.on('data', (chunk: Buffer) => {
    stream.pause();
    setImmediate(() => stream.resume());
    take(chunk);
  });
}

interface Watched {
  exited: Promise<Exit>;
  /** The pipes have been read to their end. */
  closed: Promise<void>;
  /** Resolves with the reason to end the command early, if there is one before it ends. */
  stopped: Promise<'timeout' | 'aborted'>;
}

type Exit = Pick<Outcome, 'exitCode' | 'signal'>;

/** Listens from the first moment on, so that nothing is missed while the run is being recorded. */
function watch(child: ChildProcess, { timeout, signal }: CommandOptions): Watched {
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (exitCode, exitSignal) => resolve({ exitCode, signal: exitSignal }));
  });
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const stopped = new Promise<'timeout' | 'aborted'>((resolve) => {
    const abort = (): void => resolve('aborted');
    signal?.addEventListener('abort', abort);
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(() => resolve('timeout'), Math.min(timeout, LONGEST_TIMER_MS));
    child.once('exit', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
    if (signal?.aborted === true) abort();
  });
  return { exited, closed, stopped };
}

/** Waits for the end of the command, or brings it about, and sees to it that nothing is left. */
async function follow(
  { exited, closed, stopped }: Watched,
  run: { marker: string; leader: Leader },
  killGrace: number,
): Promise<Outcome> {
  const stop = await Promise.race([exited.then(() => undefined), stopped]);
  let stuck: number[] = [];
  if (stop !== undefined) {
    stuck = await endRun(run, killGrace);
  } else if (!(await isDrained(closed)) || hasMembers(run.leader.pid)) {
    stuck = await endRun(run, killGrace);
  }
  await isDrained(closed);
  if (stuck.length === 0) return { ...(await exited), ended: stop ?? 'exited' };
  const exit = await Promise.race([exited, sleep(LINGER_MS, { exitCode: null, signal: null })]);
  const error = `could not end the processes ${stuck.join(', ')}`;
  return { ...exit, ended: stop ?? 'exited', error };
}

/** Whether everything written so far could be read to its end within a short while. */
async function isDrained(closed: Promise<void>): Promise<boolean> {
  const timer = new AbortController();
  const late = async (): Promise<boolean> => {
    await sleep(LINGER_MS, undefined, { signal: timer.signal });
    // The event loop may have been held up for just that while, and the output be there unread.
    for (let turn = 0; turn < TURNS_TO_DRAIN; turn += 1) await nextTurn();
    return false;
  };
  try {
    return await Promise.race([closed.then(() => true), late().catch(() => false)]);
  } finally {
    timer.abort();
  }
}
