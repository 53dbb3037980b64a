import SqliteDatabase from 'better-sqlite3';
import { beforeAll, expect, test } from 'vitest';
import type { LoggedEvent } from '../../src/core/events.js';
import { auditHistory } from '../../src/engine/audit/history.js';
import { audit, type AuditReport } from '../../src/engine/audit/audit.js';
import { logFile } from '../../src/log/database.js';
import { Log } from '../../src/log/log.js';
import { testBed } from '../support/redis.js';
import { copyLog, recordRun } from './history-runs.js';

const bed = testBed();
let recorded: string;

beforeAll(async () => {
  recorded = await recordRun(bed);
});

/** Audits a copy of the recorded log after `corrupt` has changed it. */
async function auditCopy(corrupt: (db: SqliteDatabase.Database) => void): Promise<AuditReport> {
  const dataDir = bed.folder('copy');
  copyLog(recorded, dataDir);
  const db = new SqliteDatabase(logFile(dataDir));
  db.exec('DROP TRIGGER events_no_update; DROP TRIGGER events_no_delete;');
  corrupt(db);
  db.close();
  const log = Log.read(dataDir);
  try {
    return await audit({ log, running: false });
  } finally {
    log.close();
  }
}

/** Adds an event at the end of the log. */
function append(
  db: SqliteDatabase.Database,
  type: string,
  payload: object,
  place: { goal?: string; task?: string; claim?: number; project?: string } = {},
): void {
  const { goal = 'goal-1', task = null, claim = null, project = 'default' } = place;
  db.prepare(
    `INSERT INTO events (time, project, goal, task, claim, type, version, payload)
     SELECT max(time) + 1, ?, ?, ?, ?, ?, 1, ? FROM events`,
  ).run(project, goal, task, claim, type, JSON.stringify(payload));
}

/** What the audit says, as `field task`. */
const fieldsOf = ({ disagreements }: AuditReport): string[] =>
  disagreements.map(({ field, task }) => (task === null ? field : `${field} ${task}`));

test('a recorded run agrees with itself', async () => {
  const report = await auditCopy(() => undefined);
  expect(report).toMatchObject({ agrees: true, disagreements: [], notes: [] });
  expect(report.checked).toMatchObject({ goals: 1, tasks: 6 });
  expect(report.checked.events).toBeGreaterThan(50);
});

test('an event that was deleted leaves a hole in the numbers', async () => {
  const report = await auditCopy((db) => {
    db.exec(
      "DELETE FROM events WHERE seq = (SELECT min(seq) FROM events WHERE type = 'context.built')",
    );
  });
  expect(fieldsOf(report)).toEqual(['seq']);
  expect(report.disagreements[0]?.explanation).toMatch(
    /^Events are missing between \d+ and \d+\.$/,
  );
});

test('a log whose beginning is gone has a hole as well', async () => {
  const report = await auditCopy((db) => db.exec('DELETE FROM events WHERE seq = 1'));
  expect(fieldsOf(report)).toContain('seq');
  expect(fieldsOf(report)).toContain('goal.created');
});

test('a stream entry that was recorded twice is found', async () => {
  const report = await auditCopy((db) => {
    db.exec('DROP INDEX events_origin');
    db.exec(`UPDATE events SET queue = 'developer', entry = (SELECT min(entry) FROM events)
      WHERE seq = (SELECT max(seq) FROM events WHERE type = 'context.built' AND queue = 'developer')`);
  });
  expect(fieldsOf(report)).toEqual(['origin']);
});

test('a cursor behind what is recorded is found, and so is a missing one', async () => {
  const behind = await auditCopy((db) =>
    db.exec("UPDATE cursors SET entry = '9-0' WHERE queue = 'shell'"),
  );
  expect(fieldsOf(behind)).toEqual(['cursor']);
  const missing = await auditCopy((db) => db.exec("DELETE FROM cursors WHERE queue = 'developer'"));
  expect(fieldsOf(missing)).toEqual(['cursor']);
});

test.each([
  ["UPDATE tasks SET state = 'PENDING' WHERE id = 'task-2'", 'state task-2', 'PENDING'],
  ["UPDATE tasks SET claims = 9 WHERE id = 'task-2'", 'claims task-2', 9],
  ["UPDATE tasks SET result = '{}' WHERE id = 'task-2'", 'result task-2', {}],
  ["UPDATE tasks SET open_needs = 1 WHERE id = 'task-5'", 'openNeeds task-5', 1],
  ["UPDATE tasks SET finished_at = NULL WHERE id = 'task-1'", 'finishedAt task-1', null],
  ["UPDATE goals SET title = 'Another'", 'title', 'Another'],
  ['UPDATE goals SET evicted = 1', 'evicted', true],
])('a stored row that differs from the fold is found: %s', async (sql, field, value) => {
  const report = await auditCopy((db) => db.exec(sql));
  expect(fieldsOf(report)).toEqual([field]);
  expect(report.disagreements[0]).toMatchObject({
    witnesses: ['log', 'projection'],
    goal: 'goal-1',
    values: { projection: value },
  });
});

test('rows that are missing or too many are found', async () => {
  expect(
    fieldsOf(await auditCopy((db) => db.exec("DELETE FROM tasks WHERE id = 'task-3'"))),
  ).toEqual(['tasks']);
  const withoutGoal = await auditCopy((db) => db.exec('DELETE FROM goals'));
  expect(fieldsOf(withoutGoal)).toEqual(['goal']);
  const withoutEvents = await auditCopy((db) => {
    // Whatever columns there are by now.
    db.exec(`
      CREATE TEMP TABLE copied AS SELECT * FROM goals;
      UPDATE copied SET id = 'goal-9', number = 9, key = NULL;
      INSERT INTO goals SELECT * FROM copied;
    `);
  });
  expect(fieldsOf(withoutEvents)).toEqual(['goal.created', 'goal']);
  const twice = await auditCopy((db) => {
    db.exec(`
      CREATE TEMP TABLE copied AS SELECT * FROM tasks WHERE id = 'task-3';
      UPDATE copied SET id = 'task-99', position = 99;
      INSERT INTO tasks SELECT * FROM copied;
    `);
  });
  expect(fieldsOf(twice)).toEqual(['row task-3']);
});

test('a finished task that runs again is found, and so is a second completion', async () => {
  const ranAgain = await auditCopy((db) => append(db, 'task.assigned', {}, { task: 'task-2' }));
  expect(fieldsOf(ranAgain)).toEqual(['task.assigned task-2']);
  const twice = await auditCopy((db) =>
    append(db, 'task.completed', { result: 'another' }, { task: 'task-2' }),
  );
  expect(fieldsOf(twice)).toEqual(['task.completed task-2']);
  const afterRun = await auditCopy((db) => {
    append(db, 'task.assigned', {}, { task: 'task-2' });
    append(db, 'task.completed', { result: { name: 'flaky' } }, { task: 'task-2' });
  });
  expect(fieldsOf(afterRun)).toEqual(['task.completed task-2', 'task.assigned task-2']);
});

test('telling BullMQ a result again that it had forgotten is no second completion', async () => {
  const report = await auditCopy((db) =>
    append(db, 'task.completed', { result: { name: 'flaky' } }, { task: 'task-2' }),
  );
  expect(report.agrees).toBe(true);
});

test('a step that ran twice is found', async () => {
  const report = await auditCopy((db) =>
    append(db, 'step.done', { step: 'first', result: 1 }, { task: 'task-2', claim: 2 }),
  );
  expect(fieldsOf(report)).toEqual(['step.done task-2']);
});

test('what a stale claim wrote is found, and so is a claim that nobody gave out', async () => {
  const stale = await auditCopy((db) =>
    append(db, 'task.progressed', { progress: 1 }, { task: 'task-2', claim: 1 }),
  );
  expect(fieldsOf(stale)).toEqual(['claim task-2']);
  expect(stale.disagreements[0]?.explanation).toMatch(/after claim 2 had begun/);
  const invented = await auditCopy((db) =>
    append(db, 'task.progressed', { progress: 1 }, { task: 'task-2', claim: 3 }),
  );
  expect(fieldsOf(invented)).toEqual(['claim task-2']);
});

test('what was on its way when its goal was cancelled contradicts nothing', () => {
  const log = Log.read(recorded);
  const events = [...log.events()].filter(({ task }) => task !== 'task-6');
  log.close();
  const taken = events.findIndex(
    ({ task, event }) => task === 'task-2' && event.type === 'task.assigned',
  );
  const { seq, time, project, goal } = events[taken]!;
  const cancelled: LoggedEvent = { seq, time, project, goal, event: { type: 'goal.cancelled' } };
  const late = events.slice(taken).filter(({ task }) => task !== undefined);
  expect(auditHistory('goal-1', [...events.slice(0, taken), cancelled, ...late]).found).toEqual([]);
});

test('entries that were lost before they were read explain a claim that is not in the log', async () => {
  const report = await auditCopy((db) => {
    append(db, 'stream.gap', { queue: 'developer', after: '1-0' });
    append(db, 'task.progressed', { progress: 1 }, { task: 'task-2', claim: 3 });
  });
  expect(report.agrees).toBe(true);
});

test('a task that is DONE without a passed check is found', async () => {
  const failed = await auditCopy((db) => {
    db.exec(
      "UPDATE events SET payload = json_set(payload, '$.passed', json('false')) WHERE type = 'check.finished'",
    );
  });
  expect(failed.disagreements).toContainEqual(
    expect.objectContaining({
      task: 'task-5',
      field: 'state',
      values: { log: 'FAILED', projection: 'DONE' },
    }),
  );
});

test('a task that began before its needs were done is found', async () => {
  const early = await auditCopy((db) => {
    db.exec(
      "UPDATE events SET time = time - 600000 WHERE type = 'task.assigned' AND task = 'task-5'",
    );
  });
  expect(fieldsOf(early).filter((field) => field.startsWith('needs'))).toEqual([
    'needs task-5',
    'needs task-5',
    'needs task-5',
  ]);
  const never = await auditCopy((db) => {
    db.exec(
      "UPDATE events SET type = 'task.stalled', payload = '{}' WHERE type = 'task.completed' AND task = 'task-2'",
    );
  });
  expect(never.disagreements).toContainEqual(
    expect.objectContaining({ task: 'task-5', field: 'needs', values: { log: 'task-2' } }),
  );
});

test('a goal says what its tasks make it, once', async () => {
  const twice = await auditCopy((db) => append(db, 'goal.completed', {}));
  expect(fieldsOf(twice)).toEqual(['state']);
  expect(twice.disagreements[0]?.explanation).toMatch(/a second time that it is DONE/);
  const never = await auditCopy((db) =>
    db.exec("DELETE FROM events WHERE type = 'goal.completed'"),
  );
  expect(fieldsOf(never)).toEqual(['state']);
  expect(never.disagreements[0]?.explanation).toMatch(
    /make it DONE, and the last event that says so says OPEN/,
  );
  const wrong = await auditCopy((db) => append(db, 'goal.settled', {}));
  expect(wrong.disagreements[0]?.explanation).toMatch(/says SETTLED while its tasks make it DONE/);
});

test('events that belong to nothing are found', async () => {
  const task = await auditCopy((db) => append(db, 'task.queued', {}, { task: 'task-99' }));
  expect(fieldsOf(task)).toEqual(['task task-99']);
  const goal = await auditCopy((db) =>
    append(db, 'stream.gap', { queue: 'none', after: '1-0' }, { goal: 'goal-7' }),
  );
  expect(fieldsOf(goal)).toEqual(['goal.created', 'goal.created']);
  const created = await auditCopy((db) =>
    append(db, 'goal.created', { title: 'Again', priority: 'low' }),
  );
  expect(fieldsOf(created)).toEqual(['goal.created']);
  const project = await auditCopy((db) =>
    append(db, 'stream.gap', { queue: 'none', after: '1-0' }, { project: 'other' }),
  );
  expect(fieldsOf(project)).toEqual(['project']);
});

test('an event that cannot be read is told, and the rest is audited', async () => {
  const report = await auditCopy((db) => {
    append(db, 'nonsense', {});
    append(db, 'stream.gap', { queue: 'none', after: '1-0' }, { goal: 'goal-7' });
  });
  expect(fieldsOf(report)).toEqual(['events', 'goal.created', 'goal.created']);
  expect(report.disagreements[0]!.explanation).toMatch(
    /Event \d+ \(nonsense\) is none that Drover knows: type: no such type of event\.$/,
  );
});

test('a pause that the log does not have, or that a row lacks, is told', async () => {
  const invented = await auditCopy((db) =>
    db.exec("INSERT INTO pauses (kind, name, time) VALUES ('project', 'shop', 1)"),
  );
  expect(fieldsOf(invented)).toEqual(['pause']);
  const lost = await auditCopy((db) =>
    append(
      db,
      'capability.paused',
      { type: 'capability.paused', capability: 'developer' },
      {
        goal: '',
        project: '',
      },
    ),
  );
  expect(fieldsOf(lost)).toEqual(['pause']);
  expect(lost.disagreements[0]).toMatchObject({
    values: { log: { kind: 'capability', name: 'developer' }, projection: null },
  });
});
