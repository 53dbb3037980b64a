/**
 * Tells agents what was decided while no supervisor runs that would: they go on meanwhile, in processes of their own.
 * It is only the part of a request's effect that they hear of at once: what is withdrawn, what is paused, how much is
 * done at a time. The next supervisor's start repeats it, and does the rest.
 *
 * Invariants kept here: 1 (a Redis that another log owns is left alone), 2 (what is told is recorded by then, under the
 * writer's lock, so that it is no older than what a supervisor knows; it may be told twice).
 */
import { FairOrder } from '../compile/fair-order.js';
import { Log } from '../log/log.js';
import { readLimits } from '../projections/limits.js';
import { connect, type Connection, unlessAway } from '../queues/connection.js';
import type { RedisSource } from '../queues/redis-source.js';
import { Gates } from '../queues/gates.js';
import { Jobs } from '../queues/jobs.js';
import { ownerKey } from '../queues/keys.js';
import { Limits } from '../queues/limits.js';
import { announceCancel } from '../queues/notices.js';
import { Queues } from '../queues/queues.js';
import type { DecisionOn, RequestName } from './decisions/decide.js';
import type { Decision } from './decisions/rule.js';
import { followPauses } from './effects/pause.js';
import type { Ledger } from './recording/ledger.js';
import { Steering, type SteeringParts } from './steering.js';
import { Turns } from './turns.js';

/** Agents that no supervisor looks after. */
export interface Agents {
  /** True once they were told of a request. */
  readonly told: boolean;
  /** Tells them what of this decision is theirs to know; where Redis goes away meanwhile, they are not told. */
  readonly tell: <N extends RequestName>(
    ledger: Ledger,
    name: N,
    decision: DecisionOn<N>,
  ) => Promise<void>;
  /** Which of these capabilities nobody offers; null where Redis went away meanwhile. */
  readonly lacking: (capabilities: readonly string[]) => Promise<string[] | null>;
  readonly close: () => Promise<void>;
}

interface Parts extends SteeringParts {
  readonly ledger: Ledger;
  readonly steering: Steering;
}

type Tell<D extends Decision> = (parts: Parts, decision: D) => Promise<void>;

/** What is withdrawn of a goal begins no more, and is aborted where it runs. */
const withdraw: Tell<Decision> = async ({ steering, ledger }, { goal }) => {
  const view = ledger.board.goal(goal);
  if (view) await steering.announce(view);
};

const cancel = async ({ client, prefix }: Parts, goals: readonly string[]): Promise<void> => {
  for (const goal of goals) await announceCancel(client, prefix, goal);
};

const pause: Tell<DecisionOn<'pause'>> = ({ steering, ledger }, decision) =>
  followPauses(steering, ledger, decision);

/** Requests that agents need not hear of before a supervisor runs are not in it. */
const TELL: { readonly [N in RequestName]?: Tell<DecisionOn<N>> } = {
  cancel: (parts, { goal }) => cancel(parts, [goal]),
  cancelTask: withdraw,
  skip: withdraw,
  rerun: withdraw,
  rollback: withdraw,
  pause,
  resume: pause,
  scheduleRun: (parts, { cancelled }) => cancel(parts, cancelled),
  limit: ({ limits, ledger }) => limits.set(readLimits(ledger.log)),
};

/**
 * Finds the agents of a data directory on which no supervisor runs.
 * @returns undefined where that Redis does not answer, belongs to another log, or has a supervisor all the same
 */
export async function reachAgents(
  dataDir: string,
  source: RedisSource,
  prefix: string,
): Promise<Agents | undefined> {
  const connection = await connect(source).catch(() => undefined);
  if (!connection) return undefined;
  const queues = new Queues(connection.client, prefix);
  const close = async (): Promise<void> => {
    await queues.close();
    await connection.close();
  };
  const isOurs = (await connection.client.get(ownerKey(prefix))) === logIdOf(dataDir);
  if (isOurs && (await queues.workers('commands')) === 0) {
    return agentsOn(connection, prefix, queues, close);
  }
  await close();
  return undefined;
}

function agentsOn(
  { client }: Connection,
  prefix: string,
  queues: Queues,
  closeOthers: () => Promise<void>,
): Agents {
  const jobs = new Jobs(client, prefix, queues);
  const gates = new Gates(client, prefix);
  const limits = new Limits(client, prefix);
  const redis = { client, prefix, queues, jobs, gates, limits };
  const parts: SteeringParts = { ...redis, order: new FairOrder(), turns: new Turns() };
  const steering = new Steering(parts);
  let told = false;
  return {
    get told() {
      return told;
    },
    async tell(ledger, name, decision) {
      const tell = TELL[name];
      if (!tell) return;
      const telling = tell({ ...parts, ledger, steering }, decision).then(() => (told = true));
      await unlessAway(client, telling);
    },
    async lacking(capabilities) {
      let found: string[] | null = null as string[] | null;
      const asking = Promise.all(
        capabilities.map(async (name) => ((await queues.hasWorkers(name)) ? [] : [name])),
      ).then((names) => (found = names.flat()));
      await unlessAway(client, asking);
      return found;
    },
    async close() {
      await gates.close();
      await closeOthers();
    },
  };
}

function logIdOf(dataDir: string): string | undefined {
  using log = Log.read(dataDir);
  return log.knownId();
}
