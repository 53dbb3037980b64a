/** `drover replay`, `audit` and `log` as their users run them, on a recorded log. */
import { execFile, type ExecFileException } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { beforeAll, expect, test } from 'vitest';
import { logFile } from '../../src/log/database.js';
import { copyLog, recordRun } from '../engine/history-runs.js';
import { testBed } from '../support/redis.js';

const PROGRAM = join(import.meta.dirname, '../../dist/cli/main.js');

const bed = testBed();
let recorded: string;

beforeAll(async () => {
  recorded = await recordRun(bed);
});

interface Run {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const drover = (args: readonly string[], dataDir = recorded, input = ''): Promise<Run> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], DROVER_DATA: dataDir, NO_COLOR: '1' };
    const told = (error: ExecFileException | null, stdout: string, stderr: string): void =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    execFile(process.execPath, [PROGRAM, ...args], { env }, told).stdin!.end(input);
  });

test('replay tells a task with its claims, steps and stages', async () => {
  const { code, stdout } = await drover(['replay', 'task-2']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^task-2 of goal-1 {2}Everything once\n/);
  expect(stdout).toMatch(/BACKLOG .* → PENDING .* → ASSIGNED .* → ACTIVE .* → DONE\n/);
  expect(stdout).toMatch(
    /claim 1 \(attempt 1, by \S+\): failed after \d+ ms: the first time never works\n/,
  );
  expect(stdout).toMatch(/step ‘second’ \+\d+ ms \{"first":1\}\n/);
  expect(stdout).toMatch(/claim 2 \(attempt 2, by \S+\): done after \d+ ms\n/);
  expect(stdout).toMatch(/Done! 6\/6 tasks complete\n$/);
});

test('replay shows a check with its output, and as JSON the same', async () => {
  expect((await drover(['replay', 'task-5'])).stdout).toMatch(
    /check `echo looked` passed in .*\n {6}│ looked\n/,
  );
  const { stdout } = await drover(['replay', 'goal-1', '--at', '2', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({
    goal: 'goal-1',
    task: null,
    seq: 2,
    view: { total: 5 },
  });
});

test('replay tells what blocks a task that cannot begin, and not that it waits', async () => {
  const dataDir = bed.folder();
  const supervised = await bed.start({ dataDir });
  await supervised.agent('work', () => Promise.reject(new Error('never')));
  const goal = await supervised.enqueue({
    title: 'Blocked',
    tasks: [
      { name: 'fails', capability: 'work', retry: { attempts: 1 } },
      { name: 'next', capability: 'work', needs: ['fails'] },
    ],
  });
  await goal.done();
  await supervised.close();
  expect((await drover(['replay', 'goal-1'], dataDir)).stdout).toMatch(
    /task-2 {2}next\n {2}BACKLOG, blocked by fails\n/,
  );
  expect((await drover(['replay', 'task-2', '--at', '2'], dataDir)).stdout).toMatch(
    /task-2 {2}next\n {2}BACKLOG, waits for fails\n/,
  );
});

test('replay refuses what cannot be told', async () => {
  expect(await drover(['replay', 'goal-1', '--at', 'soon'])).toMatchObject({ code: 2 });
  expect(await drover(['replay', 'goal-1', '--at=-9000d'])).toMatchObject({ code: 2 });
  expect(await drover(['replay', 'goal-9'])).toMatchObject({ code: 2 });
});

test('audit ends with 0 where all agree, and with 6 and the reason where two disagree', async () => {
  const sound = await drover(['audit', '--projects', bed.folder()]);
  expect(sound).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/All that were heard agree: \d+ events, 1 goal, 6 tasks/),
  });
  expect(sound.stderr).toMatch(/BullMQ was not heard/);
  const dataDir = bed.folder();
  copyLog(recorded, dataDir);
  const db = new SqliteDatabase(logFile(dataDir));
  db.exec("UPDATE tasks SET state = 'FAILED' WHERE id = 'task-3'");
  db.close();
  const spoilt = await drover(['audit'], dataDir);
  expect(spoilt.code).toBe(6);
  expect(spoilt.stdout).toMatch(/goal-1 task-3 {2}state {2}log: "DONE" {2}projection: "FAILED"\n/);
  const { code, stdout } = await drover(['audit', '--json'], dataDir);
  expect(code).toBe(6);
  expect(JSON.parse(stdout)).toMatchObject({
    agrees: false,
    disagreements: [{ task: 'task-3', field: 'state' }],
  });
});

test('audit ends with 7 where BullMQ could not be asked about an open goal', async () => {
  const dataDir = bed.folder();
  const flow = join(bed.folder(), 'flow.yaml');
  writeFileSync(flow, 'name: open\ntasks:\n  wait: { run: "true" }\n');
  expect(await drover(['enqueue', flow], dataDir)).toMatchObject({ code: 0 });
  expect(await drover(['audit'], dataDir)).toMatchObject({
    code: 7,
    stdout: expect.stringMatching(/All that were heard agree: \d+ events, 1 goal, 1 task,/),
  });
});

test('audit hears a Redis that is named', async () => {
  const redis = bed.redis().connection.path;
  const { code, stdout } = await drover(['audit', '--redis', redis, '--json']);
  expect(code).toBe(0);
  // Under the default prefix lies nothing of this log.
  expect(JSON.parse(stdout)).toMatchObject({
    heard: ['log', 'projection', 'redis', 'state', 'git'],
  });
});

test('a log is exported, imported once and exported again', async () => {
  const folder = bed.folder();
  const [file, copy] = [join(folder, 'log.jsonl'), join(folder, 'copy')];
  expect(await drover(['log', 'export', file])).toMatchObject({ code: 0 });
  expect(await drover(['log', 'import', file], copy)).toMatchObject({ code: 0 });
  expect(await drover(['log', 'import', file], copy)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('not empty'),
  });
  const { stdout } = await drover(['log', 'export'], copy);
  const middle = (text: string): string[] => text.split('\n').slice(1, -2);
  expect(middle(stdout)).toEqual(middle(readFileSync(file, 'utf8')));
  expect(middle(stdout).length).toBeGreaterThan(50);
  for (const [name, reason] of [
    ['none', 'ENOENT'],
    ['copy', 'it is a folder'],
  ] as const) {
    expect(
      await drover(['log', 'import', join(folder, name)], join(folder, 'other')),
    ).toMatchObject({ code: 2, stderr: expect.stringContaining(reason) });
  }
});

test('a log goes from standard output to standard input where the file is -', async () => {
  const folder = bed.folder();
  const { stdout } = await drover(['log', 'export', '-']);
  expect(await drover(['log', 'import', '-'], folder, stdout)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+ events of 1 goal are in /),
  });
});
