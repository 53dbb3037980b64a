import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { beforeAll, expect, test } from 'vitest';
import { audit } from '../../src/engine/audit/audit.js';
import { exportLog } from '../../src/engine/history/export.js';
import { importLog } from '../../src/engine/history/import.js';
import { logFile } from '../../src/log/database.js';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';
import { testBed } from '../support/redis.js';
import { recordRun } from './history-runs.js';
import { PATIENCE } from './steering-support.js';

const bed = testBed();
let recorded: string;
let exported: string;

beforeAll(async () => {
  recorded = await recordRun(bed);
  exported = await exportOf(recorded);
});

async function exportOf(dataDir: string): Promise<string> {
  const log = Log.read(dataDir);
  try {
    const output = new PassThrough();
    const text = buffer(output);
    await exportLog(log, output);
    output.end();
    return (await text).toString('utf8');
  } finally {
    log.close();
  }
}

/** The file's bytes in parts that end anywhere, also within a character. */
function* parts(text: string, size = 1_001): Generator<Buffer> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size)
    yield bytes.subarray(start, start + size);
}

const importText = (text: string, dataDir = bed.folder('imported'), options = {}) =>
  importLog(dataDir, Readable.from(parts(text)), options);

const linesOf = (text: string): string[] => text.split('\n').slice(0, -1);
const withoutEnds = (text: string): string[] => linesOf(text).slice(1, -1);

/** The export with its trailer made to fit what was changed. */
function sealed(lines: readonly string[]): string {
  const body = lines.map((line) => `${line}\n`).join('');
  const sha256 = createHash('sha256').update(body).digest('hex');
  const rows = lines.slice(1);
  const commands = rows.filter((line) => line.startsWith('{"command"')).length;
  return `${body}${JSON.stringify({ drover: 'end', events: rows.length - commands, commands, sha256 })}\n`;
}

test('export, import, export gives the same events, and the copy audits clean', async () => {
  const dataDir = bed.folder('copy');
  const { events, goals } = await importText(exported, dataDir);
  expect(goals).toBe(1);
  expect(withoutEnds(await exportOf(dataDir))).toEqual(withoutEnds(exported));
  expect(withoutEnds(exported).filter((line) => line.startsWith('{"command"'))).toHaveLength(2);
  const log = Log.read(dataDir);
  const before = Log.read(recorded);
  expect(log.lastSeq()).toBe(events);
  expect(loadGoal(log.db, 'goal-1')).toEqual(loadGoal(before.db, 'goal-1'));
  expect(await audit({ log, running: false })).toMatchObject({ agrees: true, notes: [] });
  log.close();
  before.close();
  expect(readdirSync(dataDir)).toEqual(
    expect.not.arrayContaining([expect.stringMatching(/^building-/)]),
  );
});

test('a copy has a name of its own and no cursors; one that moves keeps both', async () => {
  const original = Log.read(recorded);
  const copyDir = bed.folder('copy');
  const movedDir = bed.folder('moved');
  const copied = await importText(exported, copyDir);
  const moved = await importText(exported, movedDir, { move: true });
  expect(copied.logId).not.toBe(original.id());
  expect(moved.logId).toBe(original.id());
  const [copy, move] = [Log.read(copyDir), Log.read(movedDir)];
  expect(copy.cursors()).toEqual(new Map());
  expect([...move.cursors().keys()].toSorted()).toEqual(['developer', 'shell']);
  expect(await audit({ log: move, running: false })).toMatchObject({ agrees: true });
  for (const log of [original, copy, move]) log.close();
});

test('an open goal goes on from an import, on a Redis of its own, and its steps do not run again', async () => {
  const dataDir = bed.folder('open');
  const drover = await bed.start({ dataDir });
  let runs = 0;
  await drover.agent('developer', async (task) => {
    await task.step('counted', () => (runs += 1));
    if (runs === 1 && task.attempt === 1) throw new Error('once');
    return runs;
  });
  const retry = { attempts: 2, backoff: { type: 'fixed', delay: 600_000, jitter: 0 } } as const;
  const goal = await drover.enqueue({
    title: 'Open',
    tasks: [{ name: 'a', capability: 'developer', retry }],
  });
  for await (const { event } of goal.events()) if (event.type === 'task.retrying') break;
  await drover.close();
  const copyDir = bed.folder('copy');
  await importText(await exportOf(dataDir), copyDir);
  const copy = await bed.start({ dataDir: copyDir });
  await copy.agent('developer', async (task) => task.step('counted', () => (runs += 1)));
  expect(await copy.goal('goal-1').done()).toMatchObject({ state: 'DONE', tasks: [{ result: 1 }] });
  expect(runs).toBe(1);
  const redis = { client: copy.connection.client, prefix: copy.prefix };
  expect(
    await audit({ log: copy.ledger.log, redis, running: true, patience: PATIENCE }),
  ).toMatchObject({
    agrees: true,
  });
});

test('a command that was carried out before the export is not carried out again after it', async () => {
  const dataDir = bed.folder('copy');
  await importText(exported, dataDir);
  const [before, after] = [Log.read(recorded), Log.read(dataDir)];
  expect(before.outcome('task-4.add.1')).toMatchObject({ goal: 'goal-1' });
  expect(after.outcome('task-4.add.1')).toEqual(before.outcome('task-4.add.1'));
  before.close();
  after.close();
});

test('what is recorded during an export is left out as a whole', async () => {
  const dataDir = bed.folder('busy');
  await importText(exported, dataDir);
  const log = Log.open(dataDir);
  const output = new PassThrough({ highWaterMark: 1 });
  const writing = exportLog(log, output);
  const before = log.lastSeq();
  log.append({ time: 1, project: 'default', goal: 'goal-1', event: { type: 'goal.reopened' } });
  log.recordOutcome('late', null);
  const text = buffer(output);
  expect(await writing).toMatchObject({ events: before, commands: 2 });
  output.end();
  expect((await text).toString()).not.toContain('"late"');
  log.close();
});

const refusal = async (text: string): Promise<unknown> => {
  const dataDir = bed.folder('refused');
  const error: unknown = await importText(text, dataDir).catch((reason: unknown) => reason);
  // There is no log, and another import may be tried.
  expect(existsSync(logFile(dataDir))).toBe(false);
  await importText(exported, dataDir);
  return error;
};

test('a file that is cut off is refused, wherever it is cut', async () => {
  const lines = linesOf(exported);
  for (const text of [
    '',
    `${lines.slice(0, 1).join('\n')}\n`,
    `${lines.slice(0, -1).join('\n')}\n`,
    exported.slice(0, exported.length / 2),
  ]) {
    expect(await refusal(text)).toMatchObject({ code: 'bad-input' });
  }
  expect(await refusal(`${lines.slice(0, 8).join('\n')}\n`)).toMatchObject({
    message: `The export is cut off: it has 7 of ${lines.length - 4} events and no end.`,
  });
});

test('a file that was changed is refused by its checksum', async () => {
  const changed = exported.replace('Everything once', 'Everything twice');
  expect(changed).not.toBe(exported);
  expect(await refusal(changed)).toMatchObject({
    code: 'bad-input',
    message: expect.stringMatching(/another checksum/),
  });
});

test.each<[string, (lines: string[]) => string[], RegExp]>([
  ['no JSON', (lines) => lines.with(3, '{'), /^Line 4 of the export cannot be taken over/],
  [
    'text',
    (lines) => lines.with(3, 'garbage'),
    /^Line 4 of the export cannot be taken over: .*"garbage" is not valid JSON\.$/,
  ],
  ['another shape', (lines) => lines.with(3, '{"seq":3}'), /^Line 4 of the export cannot be read/],
  [
    'a number left out',
    (lines) => lines.toSpliced(3, 1),
    /^Line 4 of the export has event 4 where 3 is due/,
  ],
  [
    'an unknown event',
    (lines) => lines.with(2, lines[2]!.replace('goal.planned', 'goal.exploded')),
    /^Line 3 of the export cannot be taken over/,
  ],
  [
    'an entry twice',
    (lines) => {
      // Which lines are a stream's, and in what order two streams' come, differs from run to run.
      const origin = /"origin":\{[^}]*\}/;
      const queueOf = (line: string): string =>
        /"queue":"[^"]+"/.exec(origin.exec(line)?.[0] ?? '')?.[0] ?? '';
      const first = lines.findIndex((line) => queueOf(line) !== '');
      const second = lines.findIndex(
        (line, index) => index > first && queueOf(line) === queueOf(lines[first]!),
      );
      return lines.with(second, lines[second]!.replace(origin, origin.exec(lines[first]!)![0]));
    },
    /^Line \d+ of the export cannot be taken over: UNIQUE/,
  ],
  [
    'a goal that was not created',
    (lines) => lines.with(2, lines[2]!.replace('goal-1', 'goal-2')),
    /^Line 3 of the export cannot be taken over: goal-2 was not created before/,
  ],
  ['no header', (lines) => lines.slice(1), /^Line 1 of the export is no header/],
])('a file with %s is refused with the line', async (_, change, message) => {
  const lines = change(linesOf(exported).slice(0, -1));
  expect(await refusal(sealed(lines))).toMatchObject({
    code: 'bad-input',
    message: expect.stringMatching(message),
  });
});

test('a file with something behind its end is refused', async () => {
  expect(await refusal(`${exported}{}\n`)).toMatchObject({
    message: expect.stringMatching(/behind the end/),
  });
});

test.each<[string, (lines: string[]) => string[]]>([
  ['the file', (lines) => lines.with(0, lines[0]!.replace('"version":1', '"version":2'))],
  ['its events', (lines) => lines.with(0, lines[0]!.replace('"schema":1', '"schema":2'))],
  ['one event', (lines) => lines.with(3, lines[3]!.replace('"version":1', '"version":2'))],
])('an export of a newer Drover is refused: %s', async (_, change) => {
  expect(await refusal(sealed(change(linesOf(exported).slice(0, -1))))).toMatchObject({
    code: 'log-newer',
  });
});

test('a data directory that is not empty is refused and stays as it is', async () => {
  const dataDir = bed.folder('full');
  writeFileSync(join(dataDir, 'notes.txt'), 'mine');
  await expect(importText(exported, dataDir)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('notes.txt'),
  });
  expect(readdirSync(dataDir)).toEqual(['notes.txt']);
  const used = bed.folder('used');
  await importText(exported, used);
  await expect(importText(exported, used)).rejects.toMatchObject({ code: 'conflict' });
});

test('what an import left that was killed is cleared away by the next one', async () => {
  const dataDir = bed.folder('killed');
  mkdirSync(join(dataDir, 'building-x'));
  writeFileSync(join(dataDir, 'building-x', 'drover.sqlite'), 'half');
  await importText(exported, dataDir);
  expect(existsSync(join(dataDir, 'building-x'))).toBe(false);
});

test('until the last line is read there is no log', async () => {
  const dataDir = bed.folder('slow');
  const input = new PassThrough();
  const importing = importLog(dataDir, input);
  const cut = Math.floor(exported.length * 0.9);
  input.write(exported.slice(0, cut));
  await new Promise((resolve) => setImmediate(resolve));
  expect(existsSync(logFile(dataDir))).toBe(false);
  input.end(exported.slice(cut));
  await importing;
  expect(existsSync(logFile(dataDir))).toBe(true);
});

test('two imports into one directory do not mix', async () => {
  const dataDir = bed.folder('two');
  const input = new PassThrough();
  const first = importLog(dataDir, input);
  input.write(exported.slice(0, 100));
  await expect(importText(exported, dataDir)).rejects.toMatchObject({ code: 'log-locked' });
  input.end(exported.slice(100));
  await first;
});
