/**
 * What is known about a worktree without looking into it: whose it is, and what it was made from.
 *
 * The record lies beside the worktree and not in it, where an agent could change it, and is there before anything
 * else is made: so whatever a crash leaves behind can be told.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { Repository } from './repository.js';

const recordSchema = z.strictObject({
  project: z.string(),
  gitDir: z.string(),
  /** `task`: for an agent's work. `check`: holds a merged tree while it is checked. */
  purpose: z.enum(['task', 'check']),
  goal: z.string(),
  task: z.string(),
  claim: z.int().min(1),
  owner: z.string(),
  /** The commit that is checked out first. */
  start: z.string(),
  /** Paths that are linked into it; they are no part of the work. */
  links: z.array(z.string()),
  host: z.string(),
  pid: z.int(),
  /** ISO 8601. */
  created: z.string(),
  /** Whether it was made to the end; if not, nobody has worked in it. */
  ready: z.boolean(),
});
export type WorktreeRecord = z.infer<typeof recordSchema>;

export interface Worktree {
  /** The folder to work in. */
  readonly dir: string;
  /** Its part of the repository's git folder. */
  readonly adminDir: string;
  readonly record: WorktreeRecord;
}

export type NewRecord = Pick<
  WorktreeRecord,
  'purpose' | 'goal' | 'task' | 'claim' | 'owner' | 'start' | 'links'
>;

/** The places of a worktree; its name is the folder's: `task-123.2`, `task-123.2.check`. */
export function placeOf(
  { worktreesDir, gitDir }: Repository,
  name: string,
): Pick<Worktree, 'dir' | 'adminDir'> {
  const dir = join(worktreesDir, name);
  // Two data directories may work on one repository.
  const place = createHash('sha256').update(worktreesDir).digest('hex').slice(0, 8);
  return { dir, adminDir: join(gitDir, 'worktrees', `drover-${place}-${name}`) };
}

export const recordFile = (dir: string): string => join(dirname(dir), `${basename(dir)}.json`);

export function newRecord({ name, gitDir }: Repository, of: NewRecord): WorktreeRecord {
  const created = new Date().toISOString();
  const place = { project: name, gitDir, host: hostname(), pid: process.pid };
  return { ...place, ...of, created, ready: false };
}

export async function writeRecord(dir: string, record: WorktreeRecord): Promise<void> {
  const file = recordFile(dir);
  await mkdir(dirname(file), { recursive: true });
  const aside = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(aside, `${JSON.stringify(record, null, 2)}\n`);
    await rename(aside, file);
  } finally {
    await rm(aside, { force: true });
  }
}

/** Undefined where there is none, or none that can be read. */
export async function readRecord(dir: string): Promise<WorktreeRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(recordFile(dir), 'utf8')));
  } catch {
    return undefined;
  }
}
