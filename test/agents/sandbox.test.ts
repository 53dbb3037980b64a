import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findSandbox, sandboxArguments, sandboxMissing } from '../../src/agents/sandbox.js';

const PATH = process.env['PATH'] ?? '';

function folder(parent: string): string {
  const dir = mkdtempSync(join(parent, 'drover-sandbox-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('says why there is none', () => {
  const probe = findSandbox(folder(tmpdir()));
  expect(probe).toEqual({ reason: 'bubblewrap (bwrap) is not on the PATH' });
  expect(sandboxMissing('bubblewrap is missing')).toMatchObject({
    code: 'not-found',
    remedy: expect.stringContaining('sandbox.mode'),
  });
});

test('lets a command write in its worktree alone, and hides what is hidden', async (context) => {
  const found = findSandbox(PATH);
  if (found.program === undefined) {
    context.skip(`no sandbox here: ${found.reason}`);
    return;
  }
  const { program } = found;
  const [worktree, outside] = [folder(tmpdir()), folder('/var/tmp')];
  writeFileSync(join(outside, 'secret'), 'secret');
  const server = createServer((socket) => socket.end());
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const run = (command: string, hide: readonly string[] = [], network = false) => {
    const isFolder = (path: string): boolean => statSync(path).isDirectory();
    const sandbox = { program, worktree, network, hide, write: [], isFolder };
    const [first, ...rest] = sandboxArguments(sandbox, ['/bin/bash', '-c', command]);
    return spawnSync(first!, rest, { encoding: 'utf8', env: { PATH } });
  };
  expect(run('echo x > mine && cat mine')).toMatchObject({ status: 0, stdout: 'x\n' });
  expect(run(`echo x > ${outside}/mine`).status).not.toBe(0);
  expect(run(`cat ${outside}/secret`).stdout).toBe('secret');
  expect(run(`cat ${outside}/secret`, [outside]).status).not.toBe(0);
  expect(run(`cat ${outside}/secret`, [join(outside, 'secret')]).stdout).toBe('');
  expect(run(`umount ${outside} && cat ${outside}/secret`, [outside]).stdout).toBe('');
  expect(run('mount -o remount,rw /').status).not.toBe(0);
  expect(run('grep CapEff /proc/self/status').stdout).toMatch(/\t0+\n$/);
  const connect = `exec 3<>/dev/tcp/127.0.0.1/${port}`;
  expect(run(connect).status).not.toBe(0);
  expect(run(connect, [], true).status).toBe(0);
});
