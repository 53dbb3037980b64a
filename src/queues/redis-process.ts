/**
 * One Redis process on a data directory: found where it runs, begun where it does not.
 *
 * Kept here: at most one server per data directory. Redis itself would start twice on one append-only file and
 * replace the other's socket, so whoever starts one holds `redis.lock` meanwhile, and a server that listens is
 * adopted. The supervisor's lock on the log keeps two supervisors apart anyway; this lock is for callers
 * without a log, and for the moment after a crash.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { link, lstat, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError, messageOf } from '../core/errors.js';
import { isAlive } from './alive.js';
import { ask, ended, hasCode } from './redis-probe.js';

/** Bytes; macOS holds 104 with the closing zero, Linux 108. */
const SOCKET_PATH_LIMIT = 103;
/** Milliseconds until a server that neither answers nor loads counts as failed. */
const PATIENCE = 15_000;
const HOW_TO_GET_REDIS =
  'Install it (apt-get install redis-server, brew install redis, or let the set-up of `npm run demo` do it), ' +
  'start one with `docker compose up redis`, or set REDIS_URL to one that runs.';

export interface RedisProcess {
  readonly pid: number;
  readonly socket: string;
  /** It ran already, begun by an owner that is gone. */
  readonly adopted: boolean;
  /** Resolves when the process has ended, for whatever reason. */
  readonly gone: Promise<void>;
  /** Does nothing when the process has ended. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** Where the managed Redis of a data directory listens, whether or not it runs; `dir` must exist. */
export function redisSocketOf(dir: string): string {
  const real = realpathSync(dir);
  const socket = join(real, 'redis.sock');
  if (Buffer.byteLength(socket) <= SOCKET_PATH_LIMIT) return socket;
  const short = createHash('sha256').update(real).digest('hex').slice(0, 16);
  return join(tmpdir(), `drover-${short}`, 'redis.sock');
}

/** Adopts the directory's server where one runs, else starts one; resolves when it has loaded its data. */
export async function bringUpRedis(dir: string, binary?: string): Promise<RedisProcess> {
  await mkdir(join(dir, 'redis'), { recursive: true, mode: 0o700 });
  const socket = redisSocketOf(dir);
  await securePlace(dir, socket);
  return holdingStartLock(dir, async () => {
    const pid = await runningPid(dir, socket);
    if (pid !== undefined)
      return signallable({ pid, socket, adopted: true, gone: ended(socket, pid) });
    await formerServerGone(dir);
    await rm(socket, { force: true });
    return startRedis(dir, socket, binary);
  });
}

/** A short socket path lies in a folder all users share, so nobody else may own or enter it. */
async function securePlace(dir: string, socket: string): Promise<void> {
  const place = dirname(socket);
  if (place === realpathSync(dir)) return;
  await mkdir(place, { recursive: true, mode: 0o700 });
  const found = await lstat(place);
  if (!found.isDirectory() || found.uid !== userInfo().uid || (found.mode & 0o077) !== 0) {
    throw new DroverError(
      'redis-unreachable',
      `${place}, where the socket of the Redis of ${dir} belongs, is open to other users.`,
      'Remove it, or choose a data directory with a shorter path.',
    );
  }
}

async function holdingStartLock<T>(dir: string, action: () => Promise<T>): Promise<T> {
  const lock = join(dir, 'redis.lock');
  const mine = `${lock}.${randomUUID()}`;
  const deadline = Date.now() + PATIENCE;
  await writeFile(mine, String(process.pid));
  try {
    // Linking a written file, so that a lock always says whose it is.
    while (!(await created(link(mine, lock)))) {
      const owner = Number(await readFile(lock, 'utf8').catch(() => process.pid));
      if (!isAlive(owner)) await rm(lock, { force: true });
      else if (Date.now() < deadline) await delay(20);
      else {
        throw new DroverError(
          'redis-unreachable',
          `Process ${owner} has been starting the Redis of ${dir} for ${PATIENCE / 1000} s.`,
          `End that process; if it is no Drover, remove ${lock}.`,
        );
      }
    }
    try {
      return await action();
    } finally {
      await rm(lock, { force: true });
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** Whether the file is new; false where there was one. */
async function created(creation: Promise<void>): Promise<boolean> {
  try {
    await creation;
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** The process id of the server that listens there, once it is ready; undefined where none listens. */
async function runningPid(dir: string, socket: string): Promise<number | undefined> {
  let deadline = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask(socket);
    if (answer.state === 'ready') return answer.pid;
    if (answer.state === 'absent') return undefined;
    if (answer.state === 'loading') deadline = Date.now() + PATIENCE;
    if (Date.now() > deadline) {
      throw new DroverError(
        'redis-unreachable',
        `The Redis of ${dir} (process ${(await recordedPid(dir)) ?? 'unknown'}) holds its socket but does not answer.`,
        `Its log is ${join(dir, 'redis.log')}. End that process and start again.`,
      );
    }
    await delay(50);
  }
}

/** A server that shuts down no longer listens, but still writes: its successor has to wait. */
async function formerServerGone(dir: string): Promise<void> {
  const pid = await recordedPid(dir);
  if (pid === undefined) return;
  // Bounded, because by now the number may belong to some other process.
  for (let tries = 0; tries < 40 && isAlive(pid); tries += 1) await delay(50);
}

async function startRedis(dir: string, socket: string, binary?: string): Promise<RedisProcess> {
  const logPath = join(dir, 'redis.log');
  const log = await open(logPath, 'a', 0o600);
  const before = (await log.stat()).size;
  const data = join(realpathSync(dir), 'redis');
  const settings = ['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700', '--dir', data]
    .concat(['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''])
    .concat(['--maxmemory-policy', 'noeviction', '--daemonize', 'no']);
  const binaries = binary === undefined ? ['redis-server', 'valkey-server'] : [binary];
  let spawned: Spawned;
  try {
    spawned = await spawnFirst(binaries, settings, log.fd);
  } finally {
    await log.close();
  }
  const { child, gone } = spawned;
  // The owner's own work keeps it running, not the server; a stop waits with a timer.
  child.unref();
  const pid = child.pid!;
  const startedAt = new Date().toISOString();
  await writeFile(join(dir, 'redis.json'), `${JSON.stringify({ pid, socket, startedAt })}\n`);
  const started = signallable({ pid, socket, adopted: false, gone });
  if (await becomesReady(child, socket)) return started;
  started.signal('SIGKILL');
  await gone;
  const outcome = child.signalCode ?? `status ${child.exitCode}`;
  throw new DroverError(
    'redis-unreachable',
    `The Redis of ${dir} did not start (${outcome}): ${await tail(logPath, before)}`,
    `Mend what it names and start again; the whole log is ${logPath}.`,
  );
}

interface Spawned {
  readonly child: ChildProcess;
  readonly gone: Promise<void>;
}

async function spawnFirst(
  binaries: readonly string[],
  args: readonly string[],
  log: number,
): Promise<Spawned> {
  for (const binary of binaries) {
    // Its own process group: a terminal's Ctrl-C must not end Redis before Drover has drained.
    const child = spawn(binary, args, { detached: true, stdio: ['ignore', log, log] });
    // Listened for from the beginning: one with nonsense for its data ends at once, and says so only once.
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    try {
      await once(child, 'spawn');
      return { child, gone };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) continue;
      const reason = `${binary} cannot be run: ${messageOf(error)}`;
      throw new DroverError('redis-unreachable', reason, HOW_TO_GET_REDIS, { cause: error });
    }
  }
  const missing = `There is no Redis on this machine: ${binaries.join(' and ')} not found.`;
  throw new DroverError('redis-unreachable', missing, HOW_TO_GET_REDIS);
}

async function becomesReady(child: ChildProcess, socket: string): Promise<boolean> {
  let deadline = Date.now() + PATIENCE;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    const answer = await ask(socket);
    if (answer.state === 'ready') return true;
    // A large append-only file takes its time; as long as Redis says so, that is no failure.
    if (answer.state === 'loading') deadline = Date.now() + PATIENCE;
    await delay(10);
  }
  return false;
}

/** Completes a process with a way to signal it that never reaches a later process of the same number. */
function signallable(found: Omit<RedisProcess, 'signal'>): RedisProcess {
  let over = false;
  void found.gone.then(() => (over = true));
  return {
    ...found,
    signal(signal) {
      if (over) return;
      try {
        // Redis ends the children it forks on SIGTERM; on SIGKILL it cannot.
        process.kill(signal === 'SIGKILL' ? -found.pid : found.pid, signal);
      } catch (error) {
        if (!hasCode(error, 'ESRCH')) throw error;
      }
    },
  };
}

/** The last lines that were written to the file from `start` on. */
async function tail(path: string, start: number): Promise<string> {
  const lines = (await readFile(path, 'utf8')).slice(start).trimEnd().split('\n');
  return lines.slice(-5).join('\n').slice(-2_000);
}

async function recordedPid(dir: string): Promise<number | undefined> {
  const text = await readFile(join(dir, 'redis.json'), 'utf8').catch(() => '');
  const pid = Number(/"pid":(\d+)/.exec(text)?.[1]);
  return Number.isNaN(pid) ? undefined : pid;
}
