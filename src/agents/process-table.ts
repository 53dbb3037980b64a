import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { platform } from 'node:os';
import { promisify } from 'node:util';

/**
 * The processes of this machine, as far as they can be told apart. A process id alone proves nothing, because
 * ids are used again; an id together with the start time of its process does.
 */

export interface ProcessEntry {
  pid: number;
  parent: number;
  /** The id of its process group. */
  group: number;
  /** The id of its session; where the system does not tell, its process group. */
  session: number;
  /** Linux: clock ticks since boot. Elsewhere: seconds since 1970. To be compared, not to be shown. */
  started: number;
}

const IS_LINUX = platform() === 'linux';

/**
 * Every process but the dead ones that wait to be collected. On Linux it reads a file per process at once
 * (about 10 µs each): meant for the moments in which something has to be ended, not for polling at leisure.
 */
export async function listProcesses(): Promise<ProcessEntry[]> {
  if (!IS_LINUX) return listByPs(['-A']);
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    const found = /^\d+$/.test(name) ? readStat(Number(name)) : undefined;
    if (found?.isDead === false) entries.push(found.entry);
  }
  return entries;
}

/** The process with this id, on Linux also if it is dead and not collected yet; undefined if there is none. */
export async function findProcess(pid: number): Promise<ProcessEntry | undefined> {
  if (IS_LINUX) return readStat(pid)?.entry;
  const [entry] = await listByPs(['-p', String(pid)]);
  return entry;
}

/**
 * Whether the process was started with `assignment` (`NAME=value`) in its environment. Always false where the
 * system does not let us look: in processes of other users, and outside Linux.
 */
export function wasStartedWith(pid: number, assignment: string): boolean {
  if (!IS_LINUX) return false;
  return readProc(pid, 'environ')?.split('\0').includes(assignment) ?? false;
}

/**
 * Names the boot and, in containers, the process namespace in which process ids and start times of this process
 * mean anything. Outside Linux, start times are absolute and the name is the platform's.
 */
export function processSpace(): string {
  if (!IS_LINUX) return platform();
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
}

function readStat(pid: number): { entry: ProcessEntry; isDead: boolean } | undefined {
  const stat = readProc(pid, 'stat');
  if (stat === undefined) return undefined;
  // The second field is the program's name in parentheses, and may contain anything, parentheses too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  const entry = {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    started: Number(fields[19]),
  };
  return { entry, isDead: state === 'Z' || state === 'X' };
}

/** Undefined if the process has ended meanwhile, or is not ours to look at. */
function readProc(pid: number, file: 'stat' | 'environ'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return undefined;
  }
}

const run = promisify(execFile);

/** The processes `ps` finds with the given selection, for systems without /proc. */
export async function listByPs(selection: readonly string[]): Promise<ProcessEntry[]> {
  const columns = ['-o', 'pid=,ppid=,pgid=,stat=,lstart='];
  const env = { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' };
  // It exits with 1 where the selection is empty.
  const { stdout } = await run('ps', [...selection, ...columns], { env, maxBuffer: 2 ** 26 }).catch(
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 1) return { stdout: '' };
      throw error;
    },
  );
  const entries: ProcessEntry[] = [];
  for (const line of stdout.split('\n')) {
    const [pid, parent, group, state, ...started] = line.trim().split(/\s+/);
    if (pid === undefined || pid === '' || state === undefined || state.startsWith('Z')) continue;
    entries.push({
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      session: Number(group),
      started: Date.parse(`${started.join(' ')} UTC`) / 1000,
    });
  }
  return entries;
}
