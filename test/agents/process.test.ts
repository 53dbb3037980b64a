import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { killAllGroups, ownGroups } from '../../src/agents/process-group.js';
import { redactor } from '../../src/agents/redact.js';
import { endAfterTest, isAlive, PATH, run, temporaryFolder, until } from './support.js';

const FIXTURE = fileURLToPath(new URL('run-command.mjs', import.meta.url));

/** The numbers a command has written into `file`, one a line, once there are `count` of them. */
const pidsIn = (file: string, count: number): Promise<number[]> =>
  until(() => {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    return lines.length >= count ? lines.map(Number) : undefined;
  });

describe('how a command ends', () => {
  it('reports the exit code, and both streams in one text', async () => {
    const result = await run('echo out; echo err >&2; exit 3');
    expect(result).toMatchObject({ exitCode: 3, signal: null, ended: 'exited', truncatedBytes: 0 });
    expect(result.output.split('\n').toSorted()).toEqual(['', 'err', 'out']);
    expect(result.stdout).toBe('out\n');
    expect(result).not.toHaveProperty('error');
  });

  it('reports a signal from outside', async () => {
    const result = await run('kill -9 $$');
    expect(result).toMatchObject({ exitCode: null, signal: 'SIGKILL', ended: 'exited' });
  });

  it('reports a command that does not exist as the shell does', async () => {
    const result = await run('no-such-command-anywhere');
    expect(result).toMatchObject({ exitCode: 127, ended: 'exited' });
    expect(result.output).toContain('not found');
  });

  it('says that the folder is missing', async () => {
    const cwd = join(temporaryFolder(), 'missing');
    const result = await run('true', { cwd });
    expect(result).toMatchObject({ exitCode: null, ended: 'failed-to-start' });
    expect(result.error).toContain(cwd);
  });

  it('does not start what the system refuses', async () => {
    expect(await run('echo \0')).toMatchObject({ ended: 'failed-to-start' });
    const tooLong = await run(`echo ${'x'.repeat(3_000_000)}`);
    expect(tooLong).toMatchObject({ ended: 'failed-to-start' });
    expect(tooLong.error).toContain('E2BIG');
  });

  it('has no standard input and no inherited environment', async () => {
    const result = await run('cat; env', { env: { PATH, GREETING: 'hello' } });
    expect(result.output).toContain('GREETING=hello\n');
    const names = result.output.split('\n').map((line) => line.replace(/=.*/, ''));
    expect(names.toSorted()).toEqual(['', 'DROVER_RUN', 'GREETING', 'PATH', 'PWD']);
  });

  it('starts nothing when it is aborted before', async () => {
    const cwd = temporaryFolder();
    const result = await run('touch started', { cwd, signal: AbortSignal.abort() });
    expect(result).toMatchObject({ ended: 'aborted', exitCode: null, output: '' });
    expect(existsSync(join(cwd, 'started'))).toBe(false);
  });
});

describe('what is left of a command', () => {
  it('ends children and grandchildren at the timeout', async () => {
    const cwd = temporaryFolder();
    const result = await run(
      `echo $$ >pids; sh -c 'echo $$ >>pids; sleep 300 & echo $! >>pids; sleep 300'`,
      { cwd, timeout: 3_000 },
    );
    expect(result).toMatchObject({ ended: 'timeout', exitCode: null, signal: 'SIGTERM' });
    for (const pid of await pidsIn(join(cwd, 'pids'), 3)) expect(await isAlive(pid)).toBe(false);
  });

  it('ends everything on abort', async () => {
    const cwd = temporaryFolder();
    const abort = new AbortController();
    const running = run('sleep 300 & echo $! >pids; sleep 300', { cwd, signal: abort.signal });
    const [pid = 0] = await pidsIn(join(cwd, 'pids'), 1);
    expect(await isAlive(pid)).toBe(true);
    abort.abort();
    expect(await running).toMatchObject({ ended: 'aborted' });
    expect(await isAlive(pid)).toBe(false);
  });

  it('kills what ignores TERM, after the grace', async () => {
    const cwd = temporaryFolder();
    const abort = new AbortController();
    const running = run(
      `trap '' TERM; sh -c 'echo $$ >pids; while :; do sleep 1; done'; echo survived`,
      { cwd, signal: abort.signal, killGrace: 100 },
    );
    const [pid = 0] = await pidsIn(join(cwd, 'pids'), 1);
    abort.abort();
    expect(await running).toMatchObject({ ended: 'aborted', signal: 'SIGKILL', output: '' });
    expect(await isAlive(pid)).toBe(false);
  });

  it('leaves time to clean up between TERM and KILL', async () => {
    const result = await run(`trap 'echo cleaned; exit 5' TERM; echo ready; sleep 300 & wait`, {
      timeout: 3_000,
      killGrace: 20_000,
    });
    expect(result).toMatchObject({ ended: 'timeout', exitCode: 5, output: 'ready\ncleaned\n' });
  });

  it('is not held up by a child in the background that keeps the output open', async () => {
    const cwd = temporaryFolder();
    const result = await run('sleep 300 & echo $! >pids; echo done', { cwd });
    expect(result).toMatchObject({ ended: 'exited', exitCode: 0, output: 'done\n' });
    const [pid = 0] = await pidsIn(join(cwd, 'pids'), 1);
    expect(await isAlive(pid)).toBe(false);
  });

  it('ends a child in the background that has closed the output', async () => {
    const cwd = temporaryFolder();
    await run('sleep 300 >/dev/null 2>&1 & echo $! >pids', { cwd });
    const [pid = 0] = await pidsIn(join(cwd, 'pids'), 1);
    expect(await isAlive(pid)).toBe(false);
  });

  it('keeps what a child writes shortly after the shell has ended', async () => {
    // Once there is no such shell any more.
    const result = await run('(while kill -0 $$ 2>/dev/null; do :; done; echo late) & echo early');
    expect(result.output).toBe('early\nlate\n');
  });

  it('finds a child that made its own session, by its parent', async () => {
    const cwd = temporaryFolder();
    const abort = new AbortController();
    const running = run(
      `env -i setsid sh -c 'echo $$ >pids; sleep 300 & echo $! >>pids; wait' & wait`,
      { cwd, signal: abort.signal },
    );
    const pids = await pidsIn(join(cwd, 'pids'), 2);
    for (const pid of pids) await endAfterTest(pid);
    abort.abort();
    await running;
    for (const pid of pids) expect(await isAlive(pid)).toBe(false);
  });

  it.runIf(process.platform === 'linux')(
    'finds a child that made its own session and whose parent is gone, by its marker',
    async () => {
      const cwd = temporaryFolder();
      const abort = new AbortController();
      const running = run(
        `(setsid sh -c 'echo $$ >pids; exec sleep 300' >/dev/null 2>&1 &); sleep 300`,
        { cwd, signal: abort.signal },
      );
      const [pid = 0] = await pidsIn(join(cwd, 'pids'), 1);
      await endAfterTest(pid);
      abort.abort();
      await running;
      expect(await isAlive(pid)).toBe(false);
    },
  );

  it('knows the groups that run, and signals all of them', async () => {
    const cwd = temporaryFolder();
    const running = run('echo $$ >pids; sleep 300', { cwd });
    const [pid = 0] = await pidsIn(join(cwd, 'pids'), 1);
    expect([...ownGroups()]).toEqual([pid]);
    killAllGroups('SIGKILL');
    expect(await running).toMatchObject({ ended: 'exited', signal: 'SIGKILL' });
    expect(ownGroups().size).toBe(0);
  });

  it('does not outlive a process that exits without waiting for it', async () => {
    const cwd = temporaryFolder();
    // The file is there as a whole or not at all.
    const command = `sleep 300 & printf '%s\\n' $! $$ >new; mv new pids; sleep 300`;
    const owner = spawnSync(process.execPath, [FIXTURE, cwd, command, 'exit'], {
      encoding: 'utf8',
    });
    expect(owner).toMatchObject({ status: 7, stderr: '' });
    for (const pid of await pidsIn(join(cwd, 'pids'), 2)) {
      // KILL was sent; the kernel may need a moment.
      expect(await until(async () => ((await isAlive(pid)) ? undefined : 'gone'))).toBe('gone');
    }
  });
});

describe('output', () => {
  it('hands out lines as they come, and none after the end', async () => {
    const lines: string[] = [];
    const result = await run(`printf 'one\\ntwo\\n\\nunfinished'; echo problem >&2; sleep 300 &`, {
      onOutput: (line, stream) => lines.push(`${stream}: ${line}`),
    });
    const seen = lines.length;
    expect(lines.toSorted()).toEqual([
      'stderr: problem',
      'stdout: ',
      'stdout: one',
      'stdout: two',
      'stdout: unfinished',
    ]);
    expect(result.stdout).toBe('one\ntwo\n\nunfinished');
    await until(() => (lines.length === seen ? 'unchanged' : undefined));
  });

  it('does not mix the streams within a line', async () => {
    const cwd = temporaryFolder();
    const result = await run(
      `printf begin; sleep 0.1; echo problem >&2; until [ -e seen ]; do sleep 0.01; done
       echo ' end'; printf last; printf more >&2`,
      { cwd, onOutput: (line) => line === 'problem' && writeFileSync(join(cwd, 'seen'), '') },
    );
    expect(result.output).toBe('problem\nbegin end\nlast\nmore');
  });

  it('keeps head and tail of 50 MB', async () => {
    const result = await run(
      `echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last`,
      {
        maxOutput: 1_000,
      },
    );
    expect(result.exitCode).toBe(0);
    const [first, head, notice, tail, last] = result.output.split('\n');
    expect({ first, last }).toEqual({ first: 'first', last: 'last' });
    expect(head).toMatch(/^x{494}$/);
    expect(tail).toMatch(/^x{494}$/);
    expect(notice).toBe(`[${result.truncatedBytes} bytes left out]`);
    expect(result.truncatedBytes).toBe(50_000_012 - 1_000);
    expect(result.stdout).toBe(`${'x'.repeat(994)}\nlast\n`);
  });

  it('survives output without end', async () => {
    let count = 0;
    const enough = new AbortController();
    const onOutput = (): void => {
      count += 1;
      if (count === 100_000) enough.abort();
    };
    const result = await run('yes', { signal: enough.signal, onOutput });
    expect(result).toMatchObject({ ended: 'aborted', signal: 'SIGTERM' });
    expect(result.truncatedBytes).toBeGreaterThan(0);
    expect(Buffer.byteLength(result.output)).toBeLessThan(65_536 + 100);
  });

  it('cuts long lines for the listener alone', async () => {
    const lines: string[] = [];
    const result = await run(`head -c 20000 /dev/zero | tr '\\0' y; echo; echo next`, {
      onOutput: (line) => lines.push(line),
    });
    expect(lines).toEqual([`${'y'.repeat(8_192)} [line cut]`, 'next']);
    expect(result.stdout).toBe(`${'y'.repeat(20_000)}\nnext\n`);
  });

  it('makes binary output plain', async () => {
    const result = await run('head -c 300000 /dev/urandom');
    expect(result.ended).toBe('exited');
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    expect(result.output).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  });

  it('decodes characters that are split over chunks', async () => {
    const result = await run(
      `printf 'a\\303'; sleep 0.1; printf '\\244\\377\\033['; sleep 0.1; printf '31mz'`,
    );
    expect(result.output).toBe('a\u00e4\ufffdz');
  });
});

describe('secrets', () => {
  const redact = redactor(['hunter2secret', 'line one\nline two\nend']);

  it('shows none, however they are split', async () => {
    const lines: string[] = [];
    const result = await run(
      `printf 'a hunter2'; sleep 0.1; printf 'sec\\033[1mret b\\n'; printf 'line one\\nline'; sleep 0.1
       printf ' two\\nend\\n'; printf hunter2secret | base64`,
      { redact, onOutput: (line) => lines.push(line) },
    );
    expect(lines).toEqual(['a [redacted] b', '[redacted]', '[redacted]']);
    expect(result.output).toBe('a [redacted] b\n[redacted]\n[redacted]\n');
    expect(result.stdout).toBe(result.output);
  });

  it('shows no part of one where head and tail are cut', async () => {
    for (const maxOutput of [20, 21, 22, 24, 27, 30, 33, 40]) {
      const result = await run('for i in 1 2 3 4 5 6 7 8 9; do echo hunter2secret; done', {
        redact,
        maxOutput,
      });
      expect(result.truncatedBytes).toBeGreaterThan(0);
      expect(result.output + result.stdout).not.toMatch(/hun|unt|ter|2se|sec|ret/);
    }
  });

  it('shows none in a line that is cut', async () => {
    const lines: string[] = [];
    await run(`head -c 8186 /dev/zero | tr '\\0' z; sleep 0.1; echo hunter2secret`, {
      redact,
      onOutput: (line) => lines.push(line),
    });
    expect(lines).toEqual([`${'z'.repeat(8_186)}[redac [line cut]`]);
  });
});
