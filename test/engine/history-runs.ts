/** Recorded runs for the tests of replay, audit and export. */
import SqliteDatabase from 'better-sqlite3';
import { logFile } from '../../src/log/database.js';
import type { Drover } from '../../src/index.js';
import type { TestBed } from '../support/redis.js';
import type { GoalReport } from '../../src/projections/report.js';

/**
 * A goal in which everything happens once that a history can show: a chain and a diamond, steps, checks, a
 * failed attempt, a declined claim and tasks that are added on the way.
 */
export async function eventfulGoal(drover: Drover): Promise<GoalReport> {
  let declined = false;
  await drover.agent('developer', async (task) => {
    if (task.name === 'shy' && !declined) {
      declined = true;
      task.decline('not now');
    }
    if (task.name === 'grower') {
      return await task.addTasks([{ name: 'added', capability: 'developer' }], { wait: true });
    }
    const first = await task.step('first', () => 1);
    await task.step('second', () => ({ first }));
    if (task.name === 'flaky' && task.attempt === 1) throw new Error('the first time never works');
    return { name: task.name };
  });
  await drover.agent('shell', 'shell');
  const retry = { attempts: 2, backoff: { type: 'fixed', delay: 5, jitter: 0 } } as const;
  const goal = await drover.enqueue({
    title: 'Everything once',
    tasks: [
      { name: 'start', capability: 'developer' },
      { name: 'flaky', capability: 'developer', needs: ['start'], retry },
      { name: 'shy', capability: 'developer', needs: ['start'] },
      { name: 'grower', capability: 'developer', needs: ['start'] },
      {
        name: 'proven',
        capability: 'shell',
        run: 'echo made',
        check: { run: 'echo looked' },
        needs: ['flaky', 'shy', 'grower'],
      },
    ],
  });
  return goal.done();
}

/** The data directory of a recorded run whose supervisor is closed. */
export async function recordRun(bed: TestBed): Promise<string> {
  const dataDir = bed.folder('recorded');
  const drover = await bed.start({ dataDir });
  await eventfulGoal(drover);
  await drover.close();
  return dataDir;
}

/** Copies a log as it is recorded by now; what stands in its journal is part of it. */
export function copyLog(from: string, to: string): void {
  const db = new SqliteDatabase(logFile(from));
  db.prepare('VACUUM INTO ?').run(logFile(to));
  db.close();
}
