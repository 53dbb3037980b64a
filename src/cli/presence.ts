/**
 * What a supervisor of the command line tells others on its machine about itself, in `supervisor.json` of the
 * data directory. The writer's lock says whether it runs; this file says how to reach it. No secret is in it.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { DroverError } from '../core/errors.js';
import { type Holder, writerLockHolder } from '../log/writer-lock.js';
import { isAlive } from '../queues/alive.js';
import type { Globals } from './globals.js';

const presenceSchema = z.object({
  pid: z.int(),
  command: z.enum(['run', 'up']),
  prefix: z.string(),
  /** Host and port or socket of a Redis that was given; null for one of its own. */
  redis: z.string().nullable(),
  /** Capabilities offered in its process. */
  agents: z.array(z.string()),
  /** Where Bull Board answers. */
  url: z.string().nullable(),
});
export type Presence = z.infer<typeof presenceSchema>;

export interface RunningSupervisor {
  readonly holder: Holder;
  /** Undefined where it is a program of somebody's own. */
  readonly presence: Presence | undefined;
}

const fileOf = (dataDir: string): string => join(dataDir, 'supervisor.json');

export function writePresence(dataDir: string, presence: Presence): void {
  writeFileSync(fileOf(dataDir), `${JSON.stringify(presence, null, 2)}\n`, { mode: 0o600 });
}

export function removePresence(dataDir: string): void {
  rmSync(fileOf(dataDir), { force: true });
}

export function readPresence(dataDir: string): Presence | undefined {
  try {
    return presenceSchema.parse(JSON.parse(readFileSync(fileOf(dataDir), 'utf8')));
  } catch {
    return undefined;
  }
}

/** The supervisor that holds the data directory, or undefined where none does. */
export function runningSupervisor(dataDir: string): RunningSupervisor | undefined {
  if (!existsSync(dataDir)) return undefined;
  const holder = writerLockHolder(dataDir);
  if (!holder) return undefined;
  const presence = readPresence(dataDir);
  const same = presence?.pid === holder.pid && holder.host === hostname();
  return { holder, presence: same ? presence : undefined };
}

/** Where agents may go on without a supervisor. */
export interface RedisLeft {
  readonly source: string | { readonly path: string };
  readonly prefix: string;
}

/** The Redis that was named, or of which a supervisor that was killed has left word; undefined where none is known. */
export async function redisLeft({
  dataDir,
  redis,
  prefix,
}: Globals): Promise<RedisLeft | undefined> {
  const left = readPresence(dataDir);
  const source = redis ?? left?.redis ?? (await ownRedisLeft(dataDir));
  return source === undefined ? undefined : { source, prefix: left?.prefix ?? prefix };
}

/** Drover's own Redis ends with its supervisor, unless that was killed. */
export async function ownRedisLeft(dataDir: string): Promise<{ path: string } | undefined> {
  if (!existsSync(join(dataDir, 'redis.json'))) return undefined;
  const { redisSocketOf } = await import('../queues/redis-process.js');
  return { path: redisSocketOf(dataDir) };
}

/** Milliseconds without a supervisor after which nobody waits for it any longer; a restart takes less. */
const MISSED = 10_000;

/**
 * A look at whether a supervisor still runs, for those who wait for what it does.
 * @returns a function that throws DroverError `no-supervisor` once none has run for 10 s
 */
export function supervisorWatch(dataDir: string): () => void {
  let pid: number | undefined;
  let seen = performance.now();
  return () => {
    // Cheaper than looking at the lock, and does not touch it.
    if (pid === undefined || !isAlive(pid)) pid = runningSupervisor(dataDir)?.holder.pid;
    if (pid !== undefined) seen = performance.now();
    if (performance.now() - seen < MISSED) return;
    throw new DroverError(
      'no-supervisor',
      `The supervisor of ${dataDir} has stopped.`,
      'The goal goes on with the next `drover up`.',
    );
  };
}

/** @throws DroverError where the supervisor's Redis cannot be found from here without being told. */
export function requireReachable({ presence }: RunningSupervisor, redis: string | undefined): void {
  if (redis !== undefined || presence === undefined || presence.redis === null) return;
  throw new DroverError(
    'redis-unreachable',
    `The supervisor of this data directory uses the Redis at ${presence.redis}.`,
    'Name it with --redis or REDIS_URL; its password is not kept.',
  );
}
