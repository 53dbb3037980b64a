/** Starts this command line once more, in the background, and waits until it answers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError } from '../core/errors.js';
import { makeDataDir } from '../log/data-dir.js';
import { type Presence, readPresence, removePresence, runningSupervisor } from './presence.js';

/** Milliseconds that a start may take; a large append-only file is loaded meanwhile. */
const PATIENCE = 120_000;

export interface Detached {
  readonly pid: number;
  readonly presence: Presence;
  readonly logFile: string;
}

/** @throws DroverError `log-locked` where one runs already, `no-supervisor` with what the start printed */
export async function detach(dataDir: string): Promise<Detached> {
  const running = runningSupervisor(dataDir);
  if (running) {
    throw new DroverError(
      'log-locked',
      `A supervisor runs on ${dataDir} already (process ${running.holder.pid}).`,
      'Use that one, or stop it with `drover down`.',
    );
  }
  const { logFile, output, before } = openOutput(dataDir);
  // One that was killed may have left its own behind, and process ids come again.
  removePresence(dataDir);
  const args = process.argv.slice(2).filter((argument) => argument !== '--detach');
  const child = spawn(process.execPath, [process.argv[1]!, ...args], {
    detached: true,
    stdio: ['ignore', output, output],
  });
  const ended = once(child, 'exit').then(() => true);
  ended.catch(() => undefined);
  closeSync(output);
  const { pid } = child;
  const deadline = performance.now() + PATIENCE;
  while (performance.now() < deadline) {
    // Not the lock: looking at it could keep the starting process from taking it.
    const presence = readPresence(dataDir);
    if (presence && presence.pid === pid) {
      child.unref();
      return { pid, presence, logFile };
    }
    if (await Promise.race([ended, delay(50, false)])) break;
  }
  child.kill('SIGTERM');
  // It said who speaks before each error, as this command line does.
  const said = readFileSync(logFile, 'utf8')
    .slice(before)
    .trim()
    .replaceAll(/^drover: /gm, '');
  throw new DroverError(
    'no-supervisor',
    `The supervisor did not start: ${said.split('\n').slice(-5).join('\n') || 'it said nothing'}`,
    `All it printed is in ${logFile}.`,
  );
}

function openOutput(dataDir: string): { logFile: string; output: number; before: number } {
  const logFile = join(dataDir, 'up.log');
  makeDataDir(dataDir);
  try {
    const output = openSync(logFile, 'a', 0o600);
    return { logFile, output, before: statSync(logFile).size };
  } catch (error) {
    throw new DroverError(
      'log-unwritable',
      `Cannot write in the data directory ${dataDir}.`,
      'Give this user access to it, or name another one with --data.',
      { cause: error },
    );
  }
}
