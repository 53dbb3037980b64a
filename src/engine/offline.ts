/**
 * Requests where no supervisor runs: they are recorded, and nothing else. The next supervisor on the data
 * directory carries them out, because its start repeats the effects of whatever is recorded.
 *
 * Invariants kept here: 2 (recording is all that happens), 6 (the writer's lock is held meanwhile).
 */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { z } from 'zod';
import { DroverError } from '../core/errors.js';
import type { GoalView } from '../core/goal.js';
import { logFile } from '../log/database.js';
import { Log } from '../log/log.js';
import { acquireWriterLock } from '../log/writer-lock.js';
import { goalByKey } from '../projections/goal-list.js';
import { cancelEvents, createGoalEvents, noGoal, noTask, retryEvents } from './changes.js';
import { Ledger } from './ledger.js';
import {
  cancelRequestSchema,
  type Enqueued,
  type GoalRequest,
  goalRequestSchema,
  retryRequestSchema,
} from './requests.js';

/** @throws DroverError `bad-input`, `bad-plan`, `log-locked` where a supervisor runs after all */
export async function enqueueOffline(dataDir: string, input: GoalRequest): Promise<Enqueued> {
  const request = parse(goalRequestSchema, input);
  return asWriter(dataDir, (ledger) => {
    const existing =
      request.key === undefined
        ? undefined
        : goalByKey(ledger.log.db, request.project, request.key);
    if (existing !== undefined) return enqueued(ledger.board.goal(existing)!, false);
    const events = createGoalEvents(
      request,
      ledger.log.nextNumbers(),
      userInfo().username,
      Date.now(),
    );
    ledger.commit(events);
    return enqueued(ledger.board.goal(events[0]!.goal)!, true);
  });
}

/** @throws DroverError `not-found`, `conflict`, `log-locked` */
export async function cancelOffline(dataDir: string, id: string, why?: string): Promise<void> {
  const request = parse(cancelRequestSchema, { goal: id, why });
  requireLog(dataDir);
  return asWriter(dataDir, (ledger) => {
    const goal = ledger.board.goal(request.goal);
    if (!goal) throw noGoal(request.goal);
    ledger.commit(cancelEvents(goal, userInfo().username, why, Date.now()));
  });
}

/** @throws DroverError `not-found`, `conflict`, `log-locked` */
export async function retryOffline(dataDir: string, id: string, why?: string): Promise<void> {
  const request = parse(retryRequestSchema, { task: id, why });
  requireLog(dataDir);
  return asWriter(dataDir, (ledger) => {
    const goal = ledger.board.goalOf(request.task);
    const task = goal?.tasks.get(request.task);
    if (!goal || !task) throw noTask(request.task);
    ledger.commit(retryEvents(goal, task, userInfo().username, why, Date.now()));
  });
}

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

function enqueued(goal: GoalView, created: boolean): Enqueued {
  const tasks = [...goal.tasks.values()].map(({ spec }) => [spec.name, spec.id]);
  return { goal: goal.id, created, tasks: Object.fromEntries(tasks), waitingFor: [] };
}

function parse<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problem = z.prettifyError(parsed.error);
  throw new DroverError('bad-input', `The request cannot be read: ${problem}.`);
}
