/**
 * The engine's two queues that tie a graph's trees together: relays and gates (DESIGN §3).
 *
 * A relay opens the gates of its task's further dependents. `promote()` would hand each gate to an idle worker
 * first, one hop of about a millisecond more; here the relay's worker takes the gates itself and completes
 * them in the same round trip. A gate that somebody promoted in Bull Board is completed by the gates' worker,
 * and so is one whose relay died between taking and completing it: it is active without a lock, which is what
 * BullMQ calls stalled.
 *
 * Invariants kept here: 4 (a gate is completed once: whoever takes it out of the delayed set owns it).
 */
import { Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Json } from '../core/plan.js';
import { defineScript } from './script.js';
import { DEFAULT_TIMING } from './worker.js';

/** KEYS delayed, waiting, prioritized, active; ARGV gates. Takes gates out of whatever set they wait in. */
const TAKE = `
for _, gate in ipairs(ARGV) do
  if redis.call('ZREM', KEYS[1], gate) == 1 or redis.call('LREM', KEYS[2], 1, gate) == 1
    or redis.call('ZREM', KEYS[3], gate) == 1 then
    redis.call('LPUSH', KEYS[4], gate)
  end
end
`;

/** A token that tells BullMQ's scripts to skip the lock: nobody works on a gate. */
const NO_LOCK = '0';

export class Gates {
  private readonly queue: Queue;
  private readonly take;

  constructor(client: Redis, prefix: string) {
    this.queue = new Queue('gates', { connection: client, prefix });
    this.queue.on('error', () => undefined);
    this.take = defineScript(client, 'droverTakeGates', 4, TAKE);
  }

  /** Completes the gates with `result`; those that are open already stay as they are. */
  async open(gates: readonly string[], result: Json): Promise<void> {
    if (gates.length === 0) return;
    await this.queue.waitUntilReady();
    const { delayed, wait, prioritized, active } = this.queue.keys;
    const taken = this.take(delayed!, wait!, prioritized!, active!, ...gates);
    // Sent behind the script on the same connection, so Redis runs them in this order without a round trip
    // in between.
    const completed = gates.map(async (gate) => {
      const job = new Job(this.queue, gate, {}, {}, gate);
      await job.moveToCompleted(result, NO_LOCK, false);
    });
    await taken;
    for (const outcome of await Promise.allSettled(completed)) {
      if (outcome.status === 'rejected' && !isOpenAlready(outcome.reason)) throw outcome.reason;
    }
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}

/** BullMQ's answers for a job that is gone (-1), not active (-3), or whose parent went on. */
function isOpenAlready(reason: unknown): boolean {
  const code = reason instanceof Error && 'code' in reason ? reason.code : undefined;
  return code === -1 || code === -3;
}

export interface EngineWorkers {
  readonly close: (force?: boolean) => Promise<void>;
}

/**
 * The workers on `relays`, `gates` and `goals`. They only pass results on, so any supervisor can run them.
 */
export function startEngineWorkers(
  client: Redis,
  prefix: string,
  gates: Gates,
  onError: (error: Error) => void,
): EngineWorkers {
  const options = { connection: client, prefix, runRetryDelay: 500, ...DEFAULT_TIMING, maxStalledCount: 1_000 };
  const relay = async (job: Job): Promise<Json> => {
    const [result] = Object.values((await job.getChildrenValues<Json>()) ?? {});
    const { gates: opens } = job.data as { gates: string[] };
    await gates.open(opens, result ?? null);
    return result ?? null;
  };
  // Promoted by a person: it opens without the need's result.
  const gate = async (): Promise<Json> => null;
  const goal = async (): Promise<Json> => null;
  const workers = [
    new Worker('relays', relay, { ...options, concurrency: 50 }),
    new Worker('gates', gate, { ...options, concurrency: 10 }),
    new Worker('goals', goal, { ...options, concurrency: 10 }),
  ];
  for (const worker of workers) worker.on('error', onError);
  return {
    async close(force = false) {
      await Promise.all(workers.map((worker) => worker.close(force)));
    },
  };
}
