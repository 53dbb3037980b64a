/** Repositories of this machine, served as git serves them to others. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * `git daemon`, for reading and pushing, until the test is over. It gets each connection from a port that is open
 * already, so nobody else can have taken it.
 * @param root the repositories that are served lie below it
 * @param isUp asked at each connection, which is closed at once where it is not
 * @returns the URL of `root`
 */
export async function gitDaemon(root: string, isUp = (): boolean => true): Promise<string> {
  const asked = ['daemon', '--inetd', '--export-all', '--enable=receive-pack'];
  const children = new Set<ReturnType<typeof spawn>>();
  const server = createServer((socket) => {
    if (!isUp()) {
      socket.destroy();
      return;
    }
    const child = spawn('git', [...asked, `--base-path=${root}`, root], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
    });
    children.add(child);
    child.on('close', () => children.delete(child));
    for (const stream of [socket, child.stdin, child.stdout]) stream.on('error', () => undefined);
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    await Promise.all([...children].map((child) => once(child, 'close')));
  });
  return `git://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/**
 * A program that stands for `ssh` and runs what is asked of the other machine on this one.
 * @returns its path
 */
export function sshProgram(dir: string): string {
  const program = join(dir, 'ssh-here');
  const options = 'while [ "${1#-}" != "$1" ]; do case "$1" in -[op]) shift;; esac; shift; done';
  writeFileSync(program, `#!/bin/sh\n${options}\nshift\nexec sh -c "$*"\n`);
  chmodSync(program, 0o755);
  return program;
}
