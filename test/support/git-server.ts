/** Repositories of this machine, served as git serves them to others. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
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

/** How the other machine is reached: the URL of its root folder, and the command that stands for `ssh`. */
export interface SshServer {
  readonly url: string;
  readonly command: string;
}

/**
 * A real sshd on a port of the loopback, until the test is over: with keys of its own, for this user alone.
 * @param dir for its keys and settings
 * @returns why there is none, where it is not installed or does not let this user in
 */
export async function sshServer(dir: string): Promise<SshServer | { readonly missing: string }> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  const sshd = folders.map((folder) => join(folder, 'sshd')).find((path) => existsSync(path));
  if (sshd === undefined) return { missing: 'sshd is not installed' };
  const at = (name: string): string => join(dir, name);
  for (const name of ['host', 'user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  const settings = [
    `HostKey ${at('host')}`,
    `AuthorizedKeysFile ${at('user.pub')}`,
    'AuthenticationMethods publickey',
    'PidFile none',
    'UsePAM no',
    // The folder for temporary files is everybody's.
    'StrictModes no',
  ];
  writeFileSync(at('sshd_config'), `${settings.join('\n')}\n`);
  // Where root keeps what has no rights; an init script makes it.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  // It gets each connection from a port that is open already, so nobody else can have taken it.
  const children = new Set<ReturnType<typeof spawn>>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const child = spawn(sshd, ['-i', '-f', at('sshd_config')], {
      stdio: [socket, socket, 'ignore'],
    });
    children.add(child);
    child.on('close', () => children.delete(child));
    socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(async () => {
    server.close();
    await Promise.all([...children].map((child) => once(child, 'close')));
  });
  const { port } = server.address() as AddressInfo;
  writeFileSync(at('known'), `[127.0.0.1]:${port} ${readFileSync(at('host.pub'), 'utf8')}`);
  const options = ['-F', 'none', '-i', at('user'), '-o', `UserKnownHostsFile=${at('known')}`];
  const ssh = ['ssh', ...options, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'];
  const here = `${userInfo().username}@127.0.0.1`;
  const tried = spawn(ssh[0]!, [...ssh.slice(1), '-p', String(port), here, 'git', '--version'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  tried.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [status] = (await once(tried, 'close')) as [number | null];
  if (status !== 0) return { missing: `sshd does not let this user in: ${said.trim()}` };
  return { url: `ssh://${here}:${port}`, command: ssh.join(' ') };
}
