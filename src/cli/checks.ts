/**
 * The examinations of `drover doctor`. They change nothing: a data directory that is not there yet is not made.
 * What needs a native module is loaded here and not before, because it may be what does not load.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdtemp, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { listProcesses } from '../agents/process-table.js';
import { findSandbox } from '../agents/sandbox.js';
import { readConfig } from '../config.js';
import { counted } from '../core/counted.js';
import { isAtLeast } from '../core/version-order.js';
import type { Globals } from './globals.js';
import { formatSize } from './render/size.js';
import { neededNode } from './version.js';

export interface Finding {
  readonly result: 'ok' | 'warning' | 'failed';
  readonly text: string;
  readonly remedy?: string;
}

const run = promisify(execFile);

/** Bytes on the disk of the data directory, below which a person is warned; below a tenth it is a failure. */
const ROOM = 1024 ** 3;

const ok = (text: string): Finding => ({ result: 'ok', text });
const warning = (text: string, remedy: string): Finding => ({ result: 'warning', text, remedy });
const failed = (text: string, remedy: string): Finding => ({ result: 'failed', text, remedy });

async function examineNode(): Promise<Finding> {
  const needed = neededNode().replace('>=', '');
  const own = process.versions.node;
  if (isAtLeast(own, needed)) return ok(`${own} (${needed} or newer is needed)`);
  return failed(`${own}; ${needed} or newer is needed`, 'Install it from https://nodejs.org.');
}

async function examineSqlite(): Promise<Finding> {
  const dir = await mkdtemp(join(tmpdir(), 'drover-doctor-'));
  try {
    const { openDatabase } = await import('../log/database.js');
    openDatabase(dir, 'write').close();
    return ok('better-sqlite3 loads, and a log can be made');
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    return failed(`better-sqlite3 does not work: ${reason}`, 'Run `npm rebuild better-sqlite3`.');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Merges without a checkout need it: `git merge-tree --write-tree`. */
const NEEDED_GIT = '2.38';

async function examineGit(): Promise<Finding> {
  const found = await versionOf('git');
  if (found !== undefined) {
    const version = /\d+\.\d+/.exec(found)?.[0] ?? '0';
    if (isAtLeast(version, NEEDED_GIT)) return ok(found);
    return failed(`${found}; ${NEEDED_GIT} or newer is needed`, 'Install a newer one.');
  }
  return failed('git is not found', 'Install it: apt-get install git, or brew install git.');
}

async function examineRedis({ redis, dataDir }: Globals): Promise<Finding> {
  if (redis !== undefined) return examineServer(redis);
  const { runningSupervisor } = await import('./presence.js');
  const supervisor = runningSupervisor(dataDir);
  if (supervisor && supervisor.presence?.redis === null) {
    const { redisSocketOf } = await import('../queues/redis-process.js');
    return examineServer({ path: redisSocketOf(dataDir) });
  }
  for (const binary of ['redis-server', 'valkey-server']) {
    const found = await versionOf(binary);
    if (found !== undefined) return ok(`${found}; Drover starts one of its own`);
  }
  return failed(
    'Neither redis-server nor valkey-server is found, and no REDIS_URL is set',
    'apt-get install redis-server, brew install redis, or set REDIS_URL to one that runs.',
  );
}

async function examineServer(source: string | { path: string }): Promise<Finding> {
  const { connect, describeRedis } = await import('../queues/connection.js');
  const { checkRedis } = await import('../queues/redis-check.js');
  const connection = await connect(source);
  try {
    const { version, warnings } = await checkRedis(connection.client);
    const text = `${version} at ${describeRedis(connection.client)}`;
    return warnings.length > 0 ? warning(text, warnings.join(' ')) : ok(`${text} is suitable`);
  } finally {
    await connection.close();
  }
}

async function examineFolder({ dataDir }: Globals): Promise<Finding> {
  const nearest = await nearestFolder(dataDir);
  try {
    await access(nearest, constants.W_OK | constants.X_OK);
  } catch {
    return failed(
      `${nearest} cannot be written`,
      'Give this user access, or name another with --data.',
    );
  }
  return ok(nearest === dataDir ? `${dataDir} can be written` : `${dataDir} can be made`);
}

async function examineLog({ dataDir }: Globals): Promise<Finding> {
  const { existsSync } = await import('node:fs');
  const { logFile } = await import('../log/database.js');
  if (!existsSync(logFile(dataDir))) return ok('none yet');
  const { Log } = await import('../log/log.js');
  using log = Log.read(dataDir);
  return ok(counted(log.lastSeq(), 'event'));
}

async function examineWriter({ dataDir }: Globals): Promise<Finding> {
  const { runningSupervisor } = await import('./presence.js');
  const supervisor = runningSupervisor(dataDir);
  if (!supervisor) return ok('nobody writes the log now');
  const { pid, host, since } = supervisor.holder;
  return ok(`process ${pid} on ${host} writes the log, since ${since}`);
}

async function examineDisk({ dataDir }: Globals): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestFolder(dataDir));
  const free = bavail * bsize;
  const text = `${(free / ROOM).toFixed(1)} GiB free`;
  const remedy = 'Make room: a full disk stops the log, and with it everything else.';
  if (free < ROOM / 10) return failed(text, remedy);
  return free < ROOM ? warning(text, remedy) : ok(text);
}

/** Part of the log's history, so nothing removes them: a replay, an export and a rerun of what needs them read them. */
async function examineResults({ dataDir }: Globals): Promise<Finding> {
  const { resultsIn } = await import('../agents/results.js');
  const folder = resultsIn(dataDir);
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  if (sizes.length === 0) return ok('none kept beside the log');
  const all = sizes.reduce((sum, size) => sum + size, 0);
  return ok(`${sizes.length} kept beside the log in ${folder}, ${formatSize(all)}`);
}

const runSchema = z.object({
  task: z.string(),
  host: z.string(),
  owner: z.object({ pid: z.int() }),
});

/** Commands whose Drover process was killed; only the next start may end them, because it can prove whose they are. */
async function examineOrphans({ dataDir }: Globals): Promise<Finding> {
  const folder = join(dataDir, 'running');
  const files = await readdir(folder).catch(() => []);
  const alive = new Set((await listProcesses()).map(({ pid }) => pid));
  const orphans: string[] = [];
  for (const file of files.filter((name) => name.endsWith('.json'))) {
    const text = await readFile(join(folder, file), 'utf8').catch(() => '{}');
    const record = runSchema.safeParse(JSON.parse(text));
    if (!record.success || record.data.host !== hostname()) continue;
    if (!alive.has(record.data.owner.pid)) orphans.push(record.data.task);
  }
  if (orphans.length === 0) return ok('no commands were left behind');
  return warning(
    `Commands may be left of a process that was killed: ${orphans.join(', ')}`,
    'The next `drover up` or `drover agent` on this data directory ends them.',
  );
}

/** Only projects that ask for a sandbox need one. */
async function examineSandbox(): Promise<Finding> {
  const found = findSandbox(readConfig().environment['PATH'] ?? '');
  if (found.program !== undefined) return ok(`${found.program} works`);
  return ok(`none: ${found.reason}; only projects with \`sandbox.mode: require\` need it`);
}

export const CHECKS: Readonly<Record<string, (globals: Globals) => Promise<Finding>>> = {
  node: examineNode,
  sqlite: examineSqlite,
  git: examineGit,
  sandbox: examineSandbox,
  redis: examineRedis,
  'data directory': examineFolder,
  log: examineLog,
  'large results': examineResults,
  supervisor: examineWriter,
  'disk space': examineDisk,
  orphans: examineOrphans,
};

async function versionOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, ['--version'], { timeout: 5_000 });
    return stdout.trim().split('\n')[0];
  } catch {
    return undefined;
  }
}

/** The folder itself, or the closest one above it that exists. */
async function nearestFolder(path: string): Promise<string> {
  try {
    await access(path);
    return path;
  } catch {
    return dirname(path) === path ? path : await nearestFolder(dirname(path));
  }
}
