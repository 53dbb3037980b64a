/**
 * Where requests are handed in: to the supervisor, wherever it runs, or into the log where none does. Either
 * way they are recorded once and carried out once.
 */
import { existsSync } from 'node:fs';
import { DroverError } from '../core/errors.js';
import type { DroverClient } from '../engine/drover.js';
import { type Control, controlBy } from '../engine/control.js';
import { askOffline, enqueueOffline } from '../engine/offline.js';
import type { Enqueued, GoalRequest } from '../engine/decisions/enqueue.js';
import type { Globals } from './globals.js';
import { requireReachable, type RunningSupervisor, runningSupervisor } from './presence.js';

export interface Desk extends Control {
  /** False where the request is only recorded, for the next supervisor. */
  readonly live: boolean;
  readonly enqueue: (goal: GoalRequest) => Promise<Enqueued>;
  readonly close: () => Promise<void>;
}

/** @throws DroverError `redis-unreachable`, `redis-unsuitable` */
export async function openDesk(globals: Globals): Promise<Desk> {
  const { dataDir, redis, projectsDir } = globals;
  const supervisor = runningSupervisor(dataDir);
  if (!supervisor && redis === undefined) {
    return {
      live: false,
      enqueue: async (goal) => enqueueOffline(dataDir, goal),
      ...controlBy(askOffline(dataDir, projectsDir)),
      close: async () => undefined,
    };
  }
  const client = await join(globals, supervisor);
  return {
    ...client,
    live: true,
    enqueue: (goal) => client.enqueue(goal),
    close: () => client.close(),
  };
}

/**
 * Joins the supervisor of the data directory, or whichever serves the Redis that was given.
 * @throws DroverError `no-supervisor`, `redis-unreachable`, `redis-unsuitable`
 */
export async function join(
  globals: Globals,
  supervisor: RunningSupervisor | undefined,
): Promise<DroverClient> {
  const { dataDir, projectsDir, redis, prefix } = globals;
  if (supervisor) requireReachable(supervisor, redis);
  if (redis === undefined && !existsSync(dataDir)) {
    throw new DroverError(
      'no-supervisor',
      `No supervisor runs on ${dataDir}: there is no such folder.`,
      'Start one with `drover up`, name its data directory with --data, or its Redis with --redis.',
    );
  }
  // Loading what talks to Redis takes longer than most commands, and many do without.
  const { connectDrover } = await import('../engine/drover.js');
  return await connectDrover({
    dataDir,
    projectsDir,
    prefix: supervisor?.presence?.prefix ?? prefix,
    ...(redis !== undefined && { redis }),
  });
}

export const OFFLINE_NOTE =
  'No supervisor runs on this data directory: it is recorded, and carried out by the next `drover up`.';
