/**
 * What `drover run` works with: a supervisor and agents of its own, or, where one runs on the data directory
 * already, that one, with agents in this process for capabilities that nobody else offers.
 */
import { createDrover, type DroverClient, type DroverOptions } from '../engine/drover.js';
import type { GoalRequest } from '../engine/decisions/enqueue.js';
import { Log } from '../log/log.js';
import { listPauses } from '../projections/pauses.js';
import { reportOf } from '../projections/report.js';
import { describeRedis } from '../queues/connection.js';
import { join } from './desk.js';
import { capabilitiesOf } from './flow.js';
import type { Globals } from './globals.js';
import {
  removePresence,
  type RunningSupervisor,
  runningSupervisor,
  supervisorWatch,
  writePresence,
} from './presence.js';
import { type WatchedGoal, watchGoal } from './reading.js';

export interface Session {
  readonly goal: WatchedGoal;
  /** False where a goal with the same key was there already. */
  readonly created: boolean;
  /** What a person should know before the goal begins. */
  readonly remarks: readonly string[];
  readonly close: (options?: { readonly force?: boolean }) => Promise<void>;
}

type SessionGlobals = Globals & Pick<DroverOptions, 'timing'>;

/** What is open, so that it can be closed also where the session could not be completed. */
export type Opened = (closable: Pick<Session, 'close'>) => void;

/**
 * @param stop ends watching the goal
 * @param onOpen is called as soon as there is something to close
 */
export async function openSession(
  request: GoalRequest,
  globals: SessionGlobals,
  stop: AbortSignal,
  onOpen: Opened,
): Promise<Session> {
  const supervisor = runningSupervisor(globals.dataDir);
  return supervisor
    ? await joinSession(request, globals, supervisor, stop, onOpen)
    : await ownSession(request, globals, onOpen);
}

async function ownSession(
  request: GoalRequest,
  globals: SessionGlobals,
  onOpen: Opened,
): Promise<Session> {
  const { dataDir, projectsDir, redis, prefix, timing } = globals;
  const drover = await createDrover({
    dataDir,
    projectsDir,
    prefix,
    ...(redis !== undefined && { redis }),
    ...(timing && { timing }),
  });
  const close = async (options?: { readonly force?: boolean }): Promise<void> => {
    removePresence(dataDir);
    await drover.close(options);
  };
  onOpen({ close });
  const capabilities = capabilitiesOf(request);
  writePresence(dataDir, {
    pid: process.pid,
    command: 'run',
    prefix,
    redis: redis === undefined ? null : describeRedis(drover.connection.client),
    agents: capabilities,
    url: null,
  });
  const others = drover.ledger.board.inState('OPEN').map(({ id }) => id);
  const goal = await drover.enqueue(request);
  await Promise.all(capabilities.map((capability) => drover.agent(capability, 'shell')));
  const remarks = others.length > 0 ? [`Goes on with ${others.join(', ')} as well.`] : [];
  const { log, board } = drover.ledger;
  return {
    goal: {
      id: goal.id,
      report: () => reportOf(board.goal(goal.id)!, listPauses(log.db)),
      events: () => goal.events(),
    },
    created: goal.created,
    remarks,
    close,
  };
}

async function joinSession(
  request: GoalRequest,
  globals: SessionGlobals,
  supervisor: RunningSupervisor,
  stop: AbortSignal,
  onOpen: Opened,
): Promise<Session> {
  const client = await join(globals, supervisor, globals);
  const log = Log.read(globals.dataDir);
  const close = async (options?: { readonly force?: boolean }): Promise<void> => {
    await client.close(options);
    log.close();
  };
  onOpen({ close });
  const { goal, created, waitingFor } = await client.enqueue(request);
  await startMissing(client, waitingFor);
  const remarks = [
    `A supervisor runs already (process ${supervisor.holder.pid}); it has taken ${goal}.`,
  ];
  if (waitingFor.length > 0) {
    remarks.push(`Nobody offered ${waitingFor.join(', ')}: agents for it run here until the end.`);
  }
  const watched = watchGoal(log, goal, stop, supervisorWatch(globals.dataDir));
  return { goal: watched, created, remarks, close };
}

async function startMissing(client: DroverClient, capabilities: readonly string[]): Promise<void> {
  for (const capability of capabilities) {
    await client.agent(capability, 'shell');
  }
}
