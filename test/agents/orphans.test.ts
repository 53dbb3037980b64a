import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it, onTestFinished } from 'vitest';

import { endOrphans } from '../../src/agents/orphans.js';
import {
  findProcess,
  listByPs,
  listProcesses,
  processSpace,
} from '../../src/agents/process-table.js';
import { endAfterTest, isAlive, PATH, run, temporaryFolder, until } from './support.js';

const FIXTURE = fileURLToPath(new URL('run-command.mjs', import.meta.url));
const MARKER = '6f1c2a34-5b6d-4e7f-8a90-b1c2d3e4f5a6';

const records = (dir: string): string[] =>
  existsSync(join(dir, 'running')) ? readdirSync(join(dir, 'running')) : [];

/** A process that runs `command`, and the ids the command has written into `pids`. */
async function startOwner(
  dir: string,
  command: string,
  count: number,
): Promise<{ owner: ChildProcess; pids: number[] }> {
  const owner = spawn(process.execPath, [FIXTURE, dir, command, 'wait'], { stdio: 'inherit' });
  onTestFinished(() => void owner.kill('SIGKILL'));
  const pids = await until(() => {
    const text = existsSync(join(dir, 'pids')) ? readFileSync(join(dir, 'pids'), 'utf8') : '';
    const isRecorded = records(dir).some(
      (name) =>
        name.endsWith('.json') &&
        readFileSync(join(dir, 'running', name), 'utf8').includes('leader'),
    );
    const lines = text.split('\n').slice(0, -1);
    return isRecorded && lines.length >= count ? lines.map(Number) : undefined;
  });
  for (const pid of pids) await endAfterTest(pid);
  return { owner, pids };
}

async function kill(owner: ChildProcess): Promise<void> {
  owner.kill('SIGKILL');
  await once(owner, 'exit');
}

/** Leaves a record as a dead process would have, with whatever else `change` says. */
function leaveRecord(dir: string, change: Record<string, unknown>): void {
  mkdirSync(join(dir, 'running'), { recursive: true });
  const record = {
    marker: MARKER,
    task: 'task-1',
    claim: 1,
    host: hostname(),
    space: processSpace(),
    owner: { pid: process.pid, started: 1 },
    ...change,
  };
  writeFileSync(join(dir, 'running', `${MARKER}.json`), JSON.stringify(record));
}

/** A process in a group of its own that Drover has nothing to do with. */
async function startStranger(
  env: Record<string, string> = {},
): Promise<{ pid: number; started: number }> {
  const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore', env: { PATH, ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));
  const entry = await findProcess(child.pid ?? 0);
  if (entry === undefined) throw new Error('sleep did not start');
  return { pid: entry.pid, started: entry.started };
}

describe('a command whose owner was killed', () => {
  it('lives on, and is ended by the next process with all its children', async () => {
    const dir = temporaryFolder();
    const { owner, pids } = await startOwner(
      dir,
      `echo $$ >pids; sleep 300 & echo $! >>pids; sh -c 'trap "" TERM; echo $$ >>pids; while :; do sleep 1; done'`,
      3,
    );
    await kill(owner);
    for (const pid of pids) expect(await isAlive(pid)).toBe(true);

    expect(await endOrphans(dir, 100)).toEqual([
      { task: 'task-1', claim: 2, pid: pids[0], outcome: 'ended' },
    ]);
    for (const pid of pids) expect(await isAlive(pid)).toBe(false);
    expect(records(dir)).toEqual([]);
    expect(await endOrphans(dir)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')(
    'is ended also where the leader has gone first and a child made its own session',
    async () => {
      const dir = temporaryFolder();
      const { owner, pids } = await startOwner(
        dir,
        `echo $$ >pids; sleep 300 & echo $! >>pids; setsid sh -c 'echo $$ >>pids; exec sleep 300' & env -i sh -c 'echo $$ >>pids; exec sleep 300'`,
        4,
      );
      await kill(owner);
      const [leader = 0] = pids;
      process.kill(leader, 'SIGKILL');
      await until(async () => ((await findProcess(leader)) === undefined ? 'gone' : undefined));

      expect(await endOrphans(dir)).toMatchObject([{ pid: leader, outcome: 'ended' }]);
      for (const pid of pids) expect(await isAlive(pid)).toBe(false);
    },
  );

  it('is not touched while its owner lives', async () => {
    const dir = temporaryFolder();
    const { owner, pids } = await startOwner(dir, 'echo $$ >pids; sleep 300', 1);
    expect(await endOrphans(dir)).toEqual([]);
    expect(await isAlive(pids[0] ?? 0)).toBe(true);
    expect(records(dir)).toHaveLength(1);
    await kill(owner);
    expect(await endOrphans(dir)).toMatchObject([{ outcome: 'ended' }]);
  });
});

describe('what is not proven to be ours', () => {
  it('is left alone when the id was given to another process', async () => {
    const dir = temporaryFolder();
    const stranger = await startStranger();
    leaveRecord(dir, { leader: { pid: stranger.pid, started: stranger.started - 1 } });
    expect(await endOrphans(dir)).toMatchObject([{ pid: stranger.pid, outcome: 'gone' }]);
    expect(await isAlive(stranger.pid)).toBe(true);
    expect(records(dir)).toEqual([]);
  });

  it('is left alone, and reported, when only the group id speaks for it', async () => {
    const dir = temporaryFolder();
    const command = 'echo $$ >pids; (sleep 300 & echo $! >>pids); kill -9 $$';
    const shell = spawn('sh', ['-c', command], { cwd: dir, detached: true, stdio: 'ignore' });
    const [, pid = 0] = await until(() => {
      const file = join(dir, 'pids');
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
      return lines.length === 2 ? lines.map(Number) : undefined;
    });
    await endAfterTest(pid);
    const leader = shell.pid ?? 0;
    await until(async () => ((await findProcess(leader)) === undefined ? 'gone' : undefined));

    leaveRecord(dir, { leader: { pid: leader, started: 1 } });
    expect(await endOrphans(dir)).toMatchObject([{ pid: leader, outcome: 'left-alone' }]);
    expect(await isAlive(pid)).toBe(true);
    expect(records(dir)).toHaveLength(1);
  });

  it.runIf(process.platform === 'linux')('does not protect what bears the marker', async () => {
    const dir = temporaryFolder();
    const stranger = await startStranger();
    const ours = await startStranger({ DROVER_RUN: MARKER });
    leaveRecord(dir, { leader: { pid: stranger.pid, started: 1 } });
    expect(await endOrphans(dir)).toMatchObject([{ outcome: 'ended' }]);
    expect(await isAlive(stranger.pid)).toBe(true);
    expect(await isAlive(ours.pid)).toBe(false);
  });

  it('is left alone on other machines and in other process spaces', async () => {
    const stranger = await startStranger();
    const elsewhere = temporaryFolder();
    leaveRecord(elsewhere, { host: 'another-host', leader: stranger });
    expect(await endOrphans(elsewhere)).toEqual([]);
    expect(records(elsewhere)).toHaveLength(1);

    const earlier = temporaryFolder();
    leaveRecord(earlier, { space: 'an earlier boot', leader: stranger });
    expect(await endOrphans(earlier)).toMatchObject([{ outcome: 'gone' }]);
    expect(records(earlier)).toEqual([]);
    expect(await isAlive(stranger.pid)).toBe(true);
  });

  it('does not come from a file that is no record', async () => {
    const dir = temporaryFolder();
    expect(await endOrphans(dir)).toEqual([]);
    leaveRecord(dir, { leader: { pid: 1, started: 0 } });
    writeFileSync(join(dir, 'running', 'torn.json'), '{"marker":');
    expect(await endOrphans(dir)).toEqual([]);
  });
});

describe('the record', () => {
  it('is there while the command runs, and gone afterwards', async () => {
    const dir = temporaryFolder();
    const result = await run(`ls ${dir}/running/*.json | wc -l`, {
      registry: { dir, task: 'task-1', claim: 1 },
    });
    expect(result.stdout.trim()).toBe('1');
    expect(records(dir)).toEqual([]);
  });

  it('must be written before the command starts', async () => {
    const dir = temporaryFolder();
    writeFileSync(join(dir, 'running'), 'in the way');
    const result = await run('touch started', {
      cwd: dir,
      registry: { dir, task: 'task-1', claim: 1 },
    });
    expect(result).toMatchObject({ ended: 'failed-to-start' });
    expect(result.error).toContain('running');
    expect(existsSync(join(dir, 'started'))).toBe(false);
  });
});

describe('the process table', () => {
  it('reads the same from ps as from the system', async () => {
    const stranger = await startStranger();
    const byPs = await listByPs(['-A']);
    const known = await listProcesses();
    for (const pid of [process.pid, stranger.pid]) {
      const expected = known.find((entry) => entry.pid === pid);
      const found = byPs.find((entry) => entry.pid === pid);
      expect(found).toMatchObject({ parent: expected?.parent, group: expected?.group });
      expect(Math.abs((found?.started ?? 0) - Date.now() / 1000)).toBeLessThan(3_600);
    }
    expect(await listByPs(['-p', '4194304'])).toEqual([]);
  });
});
