import { setTimeout as sleep } from 'node:timers/promises';

import { findProcess, listProcesses, wasStartedWith, type ProcessEntry } from './process-table.js';

/**
 * One run of a command: all processes that came of it, and how they are ended.
 *
 * A process belongs to a run if it is in the process group or session of the run's leader, if it descends from
 * one that does, or, on Linux, if it was started with the run's marker in its environment. The marker finds
 * those that left the group by `setsid` and whose parent is gone. What escapes: outside Linux, a process that
 * made a session of its own and whose parent has ended; on Linux, only one that cleared its environment as well.
 */

/** Name of the environment variable that marks the processes of a run. */
const MARKER = 'DROVER_RUN';

/** How long processes may take to disappear after KILL: longer only if the kernel holds them. */
const KILL_WAIT_MS = 2_000;
const SHORTEST_POLL_MS = 5;
const LONGEST_POLL_MS = 100;

export interface Leader {
  pid: number;
  /** As in `ProcessEntry`. */
  started: number;
}

export interface Run {
  /** Unique to the run. */
  marker: string;
  /** Undefined if it is not known or not proven that the leader's id still means this run. */
  leader?: Leader | undefined;
}

/** What to add to the environment of a run's leader. */
export function markerVariable(marker: string): Record<string, string> {
  return { [MARKER]: marker };
}

/** Whether the process bears the run's marker; see `wasStartedWith` for where that can be seen. */
export function bearsMarker(pid: number, marker: string): boolean {
  return wasStartedWith(pid, `${MARKER}=${marker}`);
}

const owned = new Set<number>();

/** The process groups that this process has started and that are not ended yet, by their leader's id. */
export function ownGroups(): ReadonlySet<number> {
  return owned;
}

/** Signals every group of this process at once, without waiting: for a stop that cannot wait. */
export function killAllGroups(signal: NodeJS.Signals): void {
  for (const pid of owned) signalGroup(pid, signal);
}

const killAllAtExit = (): void => killAllGroups('SIGKILL');

/** From now on the group counts as ours: it does not outlive this process, unless that is killed itself. */
export function adoptGroup(pid: number): void {
  if (owned.size === 0) process.once('exit', killAllAtExit);
  owned.add(pid);
}

export function releaseGroup(pid: number): void {
  owned.delete(pid);
  if (owned.size === 0) process.off('exit', killAllAtExit);
}

/** Whether anything, dead but uncollected processes included, is left in the group. */
export function hasMembers(group: number): boolean {
  return signalGroup(group, 0);
}

/** The living processes of a run. Never this process. */
export function membersOf(run: Run, processes: readonly ProcessEntry[]): ProcessEntry[] {
  return descendants(
    processes.filter((entry) => isMember(entry, run)),
    processes,
  );
}

function isMember(entry: ProcessEntry, { leader, marker }: Run): boolean {
  if (leader !== undefined) {
    if (entry.started < leader.started) return false;
    if (entry.group === leader.pid || entry.session === leader.pid) return true;
  }
  return bearsMarker(entry.pid, marker);
}

/** `roots` and everything below them. */
function descendants(roots: ProcessEntry[], processes: readonly ProcessEntry[]): ProcessEntry[] {
  const children = new Map<number, ProcessEntry[]>();
  for (const entry of processes) {
    const siblings = children.get(entry.parent);
    if (siblings === undefined) children.set(entry.parent, [entry]);
    else siblings.push(entry);
  }
  const found = new Map<number, ProcessEntry>();
  const open = [...roots];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    if (found.has(entry.pid) || entry.pid === process.pid) continue;
    found.set(entry.pid, entry);
    open.push(...(children.get(entry.pid) ?? []));
  }
  return [...found.values()];
}

/**
 * Ends all processes of a run: TERM, and KILL for those that are left after `grace` milliseconds. Returns when
 * they are gone, with the ids of those that would not go (empty but for processes of other users and processes
 * the kernel holds).
 */
export async function endRun(run: Run, grace: number): Promise<number[]> {
  let known = membersOf(run, await listProcesses());
  const look = async (): Promise<boolean> => {
    const processes = await listProcesses();
    // Whoever was once found stays known, also when the parent that led to it has ended.
    const alive = processes.filter((entry) => known.some((old) => isSame(old, entry)));
    known = descendants([...alive, ...membersOf(run, processes)], processes);
    return known.length > 0;
  };

  signalRun(run, known, 'SIGTERM');
  const termUntil = performance.now() + grace;
  let poll = SHORTEST_POLL_MS;
  while (await look()) {
    const left = termUntil - performance.now();
    if (left <= 0) break;
    await sleep(Math.min(poll, left));
    poll = Math.min(poll * 1.5, LONGEST_POLL_MS);
  }

  const killUntil = performance.now() + KILL_WAIT_MS;
  poll = SHORTEST_POLL_MS;
  while (known.length > 0 && performance.now() < killUntil) {
    signalRun(run, known, 'SIGKILL');
    await sleep(poll);
    poll = Math.min(poll * 1.5, LONGEST_POLL_MS);
    // Again and again, because what is being killed may have started others meanwhile.
    await look();
  }
  return known.map((entry) => entry.pid);
}

const isSame = (one: ProcessEntry, other: ProcessEntry): boolean =>
  one.pid === other.pid && one.started === other.started;

/** The group at once, so that nobody in it can fork in between; then those who have left it. */
function signalRun(run: Run, members: readonly ProcessEntry[], signal: NodeJS.Signals): void {
  const group = run.leader?.pid;
  if (group !== undefined && members.some((entry) => entry.group === group)) {
    signalGroup(group, signal);
  }
  for (const entry of members) if (entry.group !== group) sendSignal(entry.pid, signal);
}

const signalGroup = (group: number, signal: NodeJS.Signals | 0): boolean =>
  sendSignal(-group, signal);

/** False if there is nobody to receive it. */
function sendSignal(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, signal);
  } catch (error) {
    // EPERM: somebody is there, but none that we may signal (on macOS also: only dead ones).
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * The leader of the run that was just started as `pid`. It may have ended already, but in the same turn of the
 * event loop Node has not collected it yet, so that on Linux its start time is always there.
 */
export async function leaderOf(pid: number): Promise<Leader> {
  const entry = await findProcess(pid);
  return { pid, started: entry?.started ?? 0 };
}
