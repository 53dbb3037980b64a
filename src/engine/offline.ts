/**
 * Requests where no supervisor runs: they are recorded, and agents that go on without one are told what concerns them
 * (`telling.ts`). The next supervisor on the data directory carries the requests out, because its start repeats the
 * effects of whatever is recorded.
 *
 * Invariants kept here: 2 (recorded first), 6 (the writer's lock is held meanwhile).
 */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { readConfig } from '../config.js';
import { DroverError } from '../core/errors.js';
import { requestJson } from '../core/request.js';
import { logFile } from '../log/database.js';
import { Log } from '../log/log.js';
import { acquireWriterLock } from '../log/writer-lock.js';
import type { Ask } from './control.js';
import type { GoalLine } from './decisions/goal-line.js';
import { decide, type DecisionOn, type RequestName } from './decisions/decide.js';
import type { Calendar } from './decisions/rule.js';
import { loadGoal } from '../projections/board.js';
import { Ledger } from './recording/ledger.js';
import type { Enqueued, GoalRequest } from './decisions/enqueue.js';
import type { Agents } from './telling.js';

/** @throws DroverError `bad-input`, `bad-plan`, `log-locked` where a supervisor runs after all */
export function enqueueOffline(dataDir: string, input: GoalRequest): Omit<Enqueued, 'waitingFor'> {
  const { ledger, close } = openWriter(dataDir);
  try {
    const { goal, created } = record(ledger, 'enqueue', input, NO_CALENDAR);
    const tasks = [...ledger.board.goal(goal)!.tasks.values()];
    const ids = Object.fromEntries(tasks.map(({ spec }) => [spec.name, spec.id]));
    return { goal, created, tasks: ids };
  } finally {
    close();
  }
}

/**
 * @param agents those that go on without a supervisor, where they can be reached
 * @throws DroverError `bad-input`, `not-found`, `conflict`, `log-locked`
 */
export function askOffline(
  dataDir: string,
  projectsDir: string | null = null,
  agents?: Agents,
): Ask {
  return async (name, input) => {
    if (name !== 'scheduleAdd') requireLog(dataDir);
    const calendar = name.startsWith('schedule') ? await loadCalendar() : NO_CALENDAR;
    const line = name === 'rollback' ? await readLine(dataDir, projectsDir, input) : undefined;
    const { ledger, close } = openWriter(dataDir);
    try {
      const decision = record(ledger, name, input, calendar, line);
      await agents?.tell(ledger, name, decision);
      return decision;
    } finally {
      close();
    }
  };
}

/** The rule of this name makes decisions of this shape. */
const record = <N extends RequestName>(
  ledger: Ledger,
  name: N,
  input: unknown,
  calendar: Calendar,
  line?: GoalLine,
): DecisionOn<N> =>
  decide(ledger, { name, input: requestJson(input), by: userInfo().username, line }, calendar)
    .decision;

/** Without the lock, which nobody is kept from for as long as git takes: the decision sees what changed meanwhile. */
async function readLine(
  dataDir: string,
  projectsDir: string | null,
  input: unknown,
): Promise<GoalLine | undefined> {
  const [{ readLineFor }, { Projects }] = await Promise.all([
    import('./workspaces/read-line.js'),
    import('./workspaces/projects.js'),
  ]);
  const projects = new Projects({ projectsDir, dataDir, environment: readConfig().environment });
  using log = Log.read(dataDir);
  return await readLineFor({ log, projects, goal: (id) => loadGoal(log.db, id) }, input);
}

/** Requests that are not about schedules do not look at it. */
const NO_CALENDAR: Calendar = { check: () => undefined, next: () => undefined };

/** Loading BullMQ takes longer than most requests. */
async function loadCalendar(): Promise<Calendar> {
  const { checkCron, nextDue } = await import('../queues/cron.js');
  return { check: checkCron, next: nextDue };
}

/** A mistyped directory must not become a new log. */
function requireLog(dataDir: string): void {
  if (existsSync(logFile(dataDir))) return;
  throw new DroverError(
    'not-found',
    `There is no log in ${dataDir}.`,
    'Name the data directory with --data; `drover up` or `drover enqueue FLOW` begins a new log.',
  );
}

/** The log to write, until it is closed. */
function openWriter(dataDir: string): { readonly ledger: Ledger; readonly close: () => void } {
  const lock = acquireWriterLock(dataDir);
  try {
    const log = Log.open(dataDir);
    const close = (): void => {
      log.close();
      lock.release();
    };
    return { ledger: new Ledger(log), close };
  } catch (error) {
    lock.release();
    throw error;
  }
}
