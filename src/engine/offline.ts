/**
 * Requests where no supervisor runs: they are recorded, and nothing else. The next supervisor on the data
 * directory carries them out, because its start repeats the effects of whatever is recorded.
 *
 * Invariants kept here: 2 (recording is all that happens), 6 (the writer's lock is held meanwhile).
 */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { DroverError } from '../core/errors.js';
import { logFile } from '../log/database.js';
import { Log } from '../log/log.js';
import { acquireWriterLock } from '../log/writer-lock.js';
import { decide } from './decisions/decide.js';
import { Ledger } from './recording/ledger.js';
import type { Enqueued, GoalRequest } from './decisions/requests.js';

/** @throws DroverError `bad-input`, `bad-plan`, `log-locked` where a supervisor runs after all */
export function enqueueOffline(dataDir: string, input: GoalRequest): Enqueued {
  return asWriter(dataDir, (ledger) => {
    const { goal, created = true } = decide(ledger, { name: 'enqueue', input, by: user() });
    const tasks = [...ledger.board.goal(goal)!.tasks.values()];
    const ids = Object.fromEntries(tasks.map(({ spec }) => [spec.name, spec.id]));
    return { goal, created, tasks: ids, waitingFor: [] };
  });
}

/** @throws DroverError `bad-input`, `not-found`, `conflict`, `log-locked` */
export function cancelOffline(dataDir: string, goal: string, why?: string): void {
  requireLog(dataDir);
  const input = { goal, why };
  asWriter(dataDir, (ledger) => decide(ledger, { name: 'cancel', input, by: user() }));
}

/** @throws DroverError `bad-input`, `not-found`, `conflict`, `log-locked` */
export function retryOffline(dataDir: string, task: string, why?: string): void {
  requireLog(dataDir);
  const input = { task, why };
  asWriter(dataDir, (ledger) => decide(ledger, { name: 'retry', input, by: user() }));
}

const user = (): string => userInfo().username;

/** A mistyped directory must not become a new log. */
function requireLog(dataDir: string): void {
  if (existsSync(logFile(dataDir))) return;
  throw new DroverError(
    'not-found',
    `There is no log in ${dataDir}.`,
    'Name the data directory with --data.',
  );
}

function asWriter<T>(dataDir: string, work: (ledger: Ledger) => T): T {
  const lock = acquireWriterLock(dataDir);
  try {
    const log = Log.open(dataDir);
    try {
      return work(new Ledger(log));
    } finally {
      log.close();
    }
  } finally {
    lock.release();
  }
}
