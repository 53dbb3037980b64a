/**
 * Where requests are handed in: to the supervisor, wherever it runs, or into the log where none does. Either
 * way they are recorded once and carried out once. Agents that go on without a supervisor are told at once where their
 * Redis is known: it was named, or a supervisor that was killed has left word of it.
 */
import { existsSync } from 'node:fs';
import { DroverError } from '../core/errors.js';
import type { DroverClient, DroverOptions } from '../engine/drover.js';
import { type Control, controlBy } from '../engine/control.js';
import { askOffline, enqueueOffline } from '../engine/offline.js';
import type { Enqueued, GoalRequest } from '../engine/decisions/enqueue.js';
import type { Agents } from '../engine/telling.js';
import { logFile } from '../log/database.js';
import { capabilitiesOf } from './flow.js';
import type { Globals } from './globals.js';
import {
  ownRedisLeft,
  redisLeft,
  requireReachable,
  type RunningSupervisor,
  runningSupervisor,
} from './presence.js';

/** What `enqueue` answers; who offers what is not always known without a supervisor. */
export type HandedIn = Omit<Enqueued, 'waitingFor'> & {
  readonly waitingFor: Enqueued['waitingFor'] | null;
};

export interface Desk extends Control {
  /** False where the request is only recorded, for the next supervisor. */
  readonly live: boolean;
  /** True once agents have heard of what concerns them. */
  readonly told: boolean;
  /** What there is to say where it is only recorded. */
  readonly note: string | undefined;
  readonly enqueue: (goal: GoalRequest) => Promise<HandedIn>;
  readonly close: () => Promise<void>;
}

/** @throws DroverError `redis-unreachable`, `redis-unsuitable` */
export async function openDesk(globals: Globals): Promise<Desk> {
  const { dataDir, redis, projectsDir } = globals;
  const supervisor = runningSupervisor(dataDir);
  const agents = supervisor ? undefined : await agentsLeft(globals);
  if (!supervisor && (agents || redis === undefined)) {
    return {
      live: false,
      get told() {
        return agents?.told === true;
      },
      get note() {
        return agents?.told === true ? TOLD_NOTE : OFFLINE_NOTE;
      },
      enqueue: async (goal) => ({
        ...enqueueOffline(dataDir, goal),
        waitingFor: agents ? await agents.lacking(capabilitiesOf(goal)) : null,
      }),
      ...controlBy(askOffline(dataDir, projectsDir, agents)),
      close: async () => agents?.close(),
    };
  }
  const client = await join(globals, supervisor);
  return {
    ...client,
    live: true,
    told: true,
    note: undefined,
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
  { timing }: Pick<DroverOptions, 'timing'> = {},
): Promise<DroverClient> {
  const { dataDir, projectsDir, redis, prefix } = globals;
  if (supervisor) requireReachable(supervisor, redis);
  if (!supervisor && redis === undefined && !(await ownRedisLeft(dataDir))) {
    throw new DroverError(
      'no-supervisor',
      `No supervisor runs on ${dataDir}, and it has no Redis while none does.`,
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
    ...(timing && { timing }),
  });
}

/** The agents of the data directory, on which no supervisor runs; undefined where they are not known here. */
async function agentsLeft(globals: Globals): Promise<Agents | undefined> {
  const { dataDir } = globals;
  if (!existsSync(logFile(dataDir))) return undefined;
  const left = await redisLeft(globals);
  if (!left) return undefined;
  // Loading what talks to Redis takes longer than recording a request.
  const { reachAgents } = await import('../engine/telling.js');
  return await reachAgents(dataDir, left.source, left.prefix);
}

const OFFLINE_NOTE =
  'No supervisor runs on this data directory: it is recorded, and carried out by the next `drover up`.';
const TOLD_NOTE =
  'No supervisor runs on this data directory: it is recorded, running agents have been told, and the next `drover up` does the rest.';
