import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { z } from 'zod';

import { bearsMarker, endRun, membersOf, type Leader, type Run } from './process-group.js';
import { findProcess, listProcesses, processSpace, type ProcessEntry } from './process-table.js';

/**
 * Commands outlive a Drover process that is killed hard. So each running command has a file under
 * `<dir>/running/`, and the next process on the machine ends what is left of dead owners.
 *
 * Kept here:
 * - The file is there before the command starts and goes after it has ended (invariant 2, for processes).
 * - Nothing is signalled that is not proven to come from the recorded command. A process id proves nothing;
 *   the leader's id together with its start time does, and so does the run's marker in an environment.
 */

const processSchema = z.object({ pid: z.int().min(2), started: z.number() });

const recordSchema = z.object({
  marker: z.uuid(),
  task: z.string(),
  claim: z.int(),
  /** Process ids mean something on this machine and in this process space alone. */
  host: z.string(),
  space: z.string(),
  owner: processSchema,
  leader: processSchema.optional(),
});
type RunRecord = z.infer<typeof recordSchema>;

export interface Registry {
  /** Drover's data directory; `running/` is made in it. */
  dir: string;
  task: string;
  claim: number;
}

export interface RecordedRun {
  /** Adds the leader, as soon as there is one. */
  leads(leader: Leader): Promise<void>;
  /** The command and all that came of it have ended. */
  remove(): Promise<void>;
}

/** Notes that a command is about to be started by this process. Throws if the file cannot be written. */
export async function recordRun(registry: Registry, marker: string): Promise<RecordedRun> {
  const { dir, task, claim } = registry;
  const file = fileOf(dir, marker);
  const self = await findProcess(process.pid);
  const owner = { pid: process.pid, started: self?.started ?? 0 };
  const record = { marker, task, claim, host: hostname(), space: processSpace(), owner };
  await mkdir(folderOf(dir), { recursive: true, mode: 0o700 });
  await writeRecord(file, record);
  return {
    leads: (leader) => writeRecord(file, { ...record, leader }),
    remove: () => removeRecord(file),
  };
}

export interface Orphan {
  task: string;
  claim: number;
  /** The leader's process id, where it was known. */
  pid: number | undefined;
  /**
   * `ended`: processes were found and are gone now. `gone`: there were none. `left-alone`: there may be some,
   * but they cannot be proven to be ours, or could not be ended; a person has to look.
   */
  outcome: 'ended' | 'gone' | 'left-alone';
}

/**
 * Ends the commands whose Drover process on this machine is dead: TERM, and KILL after `killGrace` milliseconds
 * (default 2000). Commands of living processes and of other machines are not touched and not reported. Safe to
 * call from several processes at once. To be called when a process that runs commands starts.
 */
export async function endOrphans(dir: string, killGrace = 2_000): Promise<Orphan[]> {
  const records = await readRecords(dir);
  if (records.length === 0) return [];
  const processes = await listProcesses();
  const space = processSpace();
  const orphans = records.filter(
    (record) =>
      record.host === hostname() && !(record.space === space && isRunning(record.owner, processes)),
  );
  return Promise.all(
    orphans.map(async (record) => {
      // Of another boot, or of a container that is gone, nothing can be left.
      const outcome = record.space === space ? await endOrphan(record, killGrace) : 'gone';
      if (outcome !== 'left-alone') await removeRecord(fileOf(dir, record.marker));
      return { task: record.task, claim: record.claim, pid: record.leader?.pid, outcome };
    }),
  );
}

async function endOrphan(record: RunRecord, killGrace: number): Promise<Orphan['outcome']> {
  const { marker, leader } = record;
  const processes = await listProcesses();
  const claim = leader === undefined ? 'reused' : await claimOn(leader, marker, processes);
  const run: Run = { marker, leader: claim === 'proven' ? leader : undefined };
  const members = membersOf(run, processes);
  if (members.length > 0) {
    const stuck = await endRun(run, killGrace);
    if (stuck.length > 0) return 'left-alone';
  }
  if (claim === 'unproven') return 'left-alone';
  return members.length > 0 ? 'ended' : 'gone';
}

/**
 * What the leader's id stands for by now. While its group or session has a member, the system gives the id to
 * nobody else: one member that is proven to be ours proves the whole group, and a stranger with that id
 * proves that the group is gone.
 */
async function claimOn(
  leader: Leader,
  marker: string,
  processes: readonly ProcessEntry[],
): Promise<'proven' | 'reused' | 'unproven'> {
  const holder = await findProcess(leader.pid);
  if (holder !== undefined) return holder.started === leader.started ? 'proven' : 'reused';
  const members = processes.filter(
    (entry) => entry.group === leader.pid || entry.session === leader.pid,
  );
  if (members.length === 0) return 'reused';
  return members.some((entry) => bearsMarker(entry.pid, marker)) ? 'proven' : 'unproven';
}

const isRunning = (owner: Leader, processes: readonly ProcessEntry[]): boolean =>
  processes.some((entry) => entry.pid === owner.pid && entry.started === owner.started);

const folderOf = (dir: string): string => join(dir, 'running');
const fileOf = (dir: string, marker: string): string => join(folderOf(dir), `${marker}.json`);

const draftOf = (file: string): string => `${file}.tmp`;

async function removeRecord(file: string): Promise<void> {
  // Of a process that was killed while it wrote.
  await rm(draftOf(file), { force: true });
  await rm(file, { force: true });
}

/** Through a second file, so that a reader never sees half of a record. */
async function writeRecord(file: string, record: RunRecord): Promise<void> {
  const draft = draftOf(file);
  await writeFile(draft, JSON.stringify(record), { mode: 0o600 });
  await rename(draft, file);
}

async function readRecords(dir: string): Promise<RunRecord[]> {
  const names = await readdir(folderOf(dir)).catch(() => []);
  const records = await Promise.all(
    names.filter((name) => name.endsWith('.json')).map((name) => readRecord(dir, name)),
  );
  return records.filter((record) => record !== undefined);
}

/** Undefined for what is no record of ours: it names no process that could be proven to be ours. */
async function readRecord(dir: string, name: string): Promise<RunRecord | undefined> {
  try {
    const text = await readFile(join(folderOf(dir), name), 'utf8');
    const record = recordSchema.parse(JSON.parse(text));
    return `${record.marker}.json` === name ? record : undefined;
  } catch {
    return undefined;
  }
}
