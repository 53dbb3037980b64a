/** The log on disk: append-only, one writer, refused where it cannot be trusted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../src/core/events.js';
import { logFile } from '../../src/log/database.js';
import { Log } from '../../src/log/log.js';
import { acquireWriterLock, writerLockHolder } from '../../src/log/writer-lock.js';
import { fillDisk, smallDisks } from '../support/small-disk.js';

const root = mkdtempSync(join(tmpdir(), 'drover-log-'));
const folder = (): string => mkdtempSync(join(root, 'data-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const mountSmall = smallDisks();

const created: NewEvent = {
  time: 1_700_000_000_000,
  project: 'p',
  goal: 'goal-1',
  by: 'me',
  event: { type: 'goal.created', title: 'T', priority: 'normal' },
};
const done: NewEvent = {
  ...created,
  task: 'task-1',
  claim: 2,
  event: { type: 'task.completed', result: { a: [1, null, 'ü'] } },
  origin: { queue: 'developer', entry: '17-0' },
};

describe('the log', () => {
  it('keeps the newest answers to commands, and those that a handler asks for again', () => {
    const log = Log.open(folder());
    log.transaction(() => {
      log.recordOutcome('task-1.add.1', { goal: 'goal-1' });
      for (let command = 0; command < 12_500; command += 1) {
        log.recordOutcome(`command-${command}`, { goal: 'goal-1' });
      }
    });
    const known = (id: string): boolean => log.outcome(id) !== undefined;
    expect(known('task-1.add.1')).toBe(true);
    expect(['command-0', 'command-1998'].map(known)).toEqual([false, false]);
    expect(['command-1999', 'command-12499'].map(known)).toEqual([true, true]);
    log.close();
  });

  it('gives back what was appended, filtered and in order', () => {
    const dir = folder();
    const log = Log.open(dir);
    log.append(created);
    log.append(done);
    expect([...log.events()]).toEqual([
      { seq: 1, ...created },
      expect.objectContaining({ seq: 2, task: 'task-1', claim: 2, event: done.event }),
    ]);
    expect([...log.events({ task: 'task-1' })].map(({ seq }) => seq)).toEqual([2]);
    expect([...log.events({ until: 1 })].map(({ seq }) => seq)).toEqual([1]);
    expect([...log.events({ after: 1, limit: 5 })].map(({ seq }) => seq)).toEqual([2]);
    log.close();
    const reader = Log.read(dir);
    expect(reader.lastSeq()).toBe(2);
    reader.close();
  });

  it('reads more than a page', () => {
    const log = Log.open(folder());
    log.transaction(() => {
      for (let index = 0; index < 2_500; index += 1) log.append(created);
    });
    expect([...log.events()].length).toBe(2_500);
    expect([...log.events({ limit: 1_700 })].length).toBe(1_700);
    log.close();
  });

  it('refuses the same stream entry twice, changes and deletions', () => {
    const dir = folder();
    const log = Log.open(dir);
    log.append(done);
    expect(() => log.append(done)).toThrow(/UNIQUE/);
    log.close();
    const sqlite = new SqliteDatabase(logFile(dir));
    expect(() => sqlite.exec("UPDATE events SET goal = 'goal-2'")).toThrow(/append-only/);
    expect(() => sqlite.exec('DELETE FROM events')).toThrow(/append-only/);
    sqlite.close();
  });

  it('keeps nothing of a transaction that throws', () => {
    const log = Log.open(folder());
    expect(() =>
      log.transaction(() => {
        log.append(created);
        log.moveCursor('developer', '5-0');
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(log.lastSeq()).toBe(0);
    expect(log.cursors().size).toBe(0);
    log.close();
  });

  it('keeps a command’s outcome, also where it is null', () => {
    const log = Log.open(folder());
    expect(log.outcome('cancel-1')).toBeUndefined();
    log.recordOutcome('cancel-1', null);
    log.recordOutcome('grow-1', { added: 'task-2' });
    expect(log.outcome('cancel-1')).toBeNull();
    expect(log.outcome('grow-1')).toEqual({ added: 'task-2' });
    log.close();
  });

  it('of a newer Drover is refused and left as it is', () => {
    const dir = folder();
    Log.open(dir).close();
    const sqlite = new SqliteDatabase(logFile(dir));
    sqlite.exec("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 99)");
    sqlite.close();
    expect(() => Log.open(dir)).toThrow(expect.objectContaining({ code: 'log-newer' }));
    expect(() => Log.read(dir)).toThrow(/newer Drover/);
  });

  it('that is no database, or cannot be there, is refused with the reason', () => {
    const dir = folder();
    writeFileSync(
      logFile(dir),
      'this is not SQLite, and long enough to be looked at as a header of a file',
    );
    expect(() => Log.open(dir)).toThrow(expect.objectContaining({ code: 'log-unreadable' }));
    const file = join(folder(), 'file');
    writeFileSync(file, '');
    expect(() => acquireWriterLock(join(file, 'below'))).toThrow(
      expect.objectContaining({ code: 'log-unwritable' }),
    );
    expect(() => Log.read(folder())).toThrow(expect.objectContaining({ code: 'not-found' }));
    // Like a folder of somebody else's, it does not say whether there is a log; root may look into any folder.
    const veiled = folder();
    symlinkSync(logFile(veiled), logFile(veiled));
    expect(() => Log.read(veiled)).toThrow(expect.objectContaining({ code: 'log-unreadable' }));
    const kept = folder();
    mkdirSync(join(kept, 'writer.json'));
    expect(() => acquireWriterLock(kept)).toThrow(
      expect.objectContaining({ code: 'log-unwritable' }),
    );
  });
});

describe('the writer’s lock', () => {
  it('is held by one, names its holder, and is free again', () => {
    const dir = folder();
    const lock = acquireWriterLock(dir);
    expect(() => acquireWriterLock(dir)).toThrow(new RegExp(`process ${process.pid}`));
    expect(writerLockHolder(dir)).toMatchObject({ pid: process.pid });
    lock.release();
    expect(writerLockHolder(dir)).toBeUndefined();
    acquireWriterLock(dir).release();
  });

  it('is nobody else’s where the disk is full', ({ skip }) => {
    const dir = mountSmall(join(folder(), 'small'), 256 * 1024);
    if (dir === undefined) {
      skip('mounting a small file system needs root');
      return;
    }
    fillDisk(dir);
    expect(() => acquireWriterLock(dir)).toThrow(
      expect.objectContaining({
        code: 'log-unwritable',
        remedy: expect.stringContaining('Make room') as string,
      }),
    );
  });

  it('of a process that was killed is free at once', async () => {
    const dir = folder();
    const code = `import('./dist/log/writer-lock.js').then((m) => {
      m.acquireWriterLock(${JSON.stringify(dir)});
      console.log('held');
      setInterval(() => {}, 1000);
    })`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(writerLockHolder(dir)).toMatchObject({ pid: child.pid });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(writerLockHolder(dir)).toBeUndefined();
    acquireWriterLock(dir).release();
  });
});
