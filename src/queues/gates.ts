/**
 * The engine's two queues that tie a graph's trees together: relays and gates (docs/adr/0003-graph-to-trees.md).
 *
 * A relay opens the gates of its task's further dependents. `promote()` would hand each gate to an idle worker
 * first, one hop of about a millisecond more; here the relay's worker completes the gates itself, all in one script.
 * A gate that somebody promoted in Bull Board is completed by the gates' worker.
 *
 * Invariants kept here: 4 (a gate is completed once: it is taken and completed by one script).
 */
import { type Job, Queue, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { GATE_KINDS, heldJobId } from '../core/ids.js';
import type { Json } from '../core/plan.js';
import { type Finish, finisher, OUTCOME } from './complete.js';
import { HELD_OPTIONS } from './gate-options.js';
import { jobKey } from './keys.js';
import type { WorkerTiming } from './timing.js';

export class Gates {
  private readonly queue: Queue;
  private readonly finish: Finish;

  constructor(
    client: Redis,
    private readonly prefix: string,
  ) {
    this.queue = new Queue('gates', { connection: client, prefix });
    this.queue.on('error', () => undefined);
    this.finish = finisher(client);
  }

  /** Opens the gates with the need's result; those that are open already stay as they are. */
  async open(gates: readonly string[], result: Json): Promise<void> {
    await this.finish.complete(this.queue, gates, result);
  }

  /** Puts gates back that somebody removed, as children of the job that they belong to; a worker holds it. */
  async restore(
    job: Job,
    gates: readonly (HeldGate & { readonly name?: string })[],
  ): Promise<void> {
    const parent = { id: job.id!, queue: job.queueQualifiedName };
    for (const gate of gates) {
      const jobId = heldJobId(job.id!, gate.gate);
      const { priority = 1 } = job.opts;
      await this.queue.add(jobId, gate, { ...HELD_OPTIONS, jobId, priority, parent });
    }
  }

  /** Opens a relay's gates with the result of its task, and returns that. */
  relay(relay: string, gates: readonly string[]): Promise<Json> {
    const processed = `${jobKey(this.prefix, 'relays', relay)}:processed`;
    return this.finish.relay(this.queue, gates, processed);
  }

  /** Lets a gate open by itself at a time, epoch milliseconds; one that is open or gone stays as it is. */
  async arm(gate: string, due: number): Promise<void> {
    const job = await this.queue.getJob(gate);
    if (!job || (await job.getState()) !== 'delayed') return;
    // It may open in between.
    await job.changeDelay(Math.max(1, due - Date.now())).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}

export interface EngineWorkers {
  readonly close: (force?: boolean) => Promise<void>;
}

/** A gate that a person, a signal or a time opens. */
const heldSchema = z.object({ goal: z.string(), task: z.string(), gate: z.enum(GATE_KINDS) });
export type HeldGate = z.infer<typeof heldSchema>;

/**
 * The workers on `relays`, `gates` and `goals`. They only pass results on, so any supervisor can run them.
 * @param opened is told of a gate that opens by its time or by hand, and answers with what the task is told
 */
export function startEngineWorkers(
  client: Redis,
  prefix: string,
  gates: Gates,
  timing: WorkerTiming,
  opened: (gate: HeldGate) => Promise<Json>,
  onError: (error: Error) => void,
): EngineWorkers {
  const options = {
    connection: client,
    prefix,
    runRetryDelay: 500,
    ...timing,
    maxStalledCount: 1_000,
  };
  const relay = async (job: Job): Promise<Json> => {
    const { gates: opens } = job.data as { gates: string[] };
    return gates.relay(job.id!, opens);
  };
  const gate = async (job: Job): Promise<Json> => {
    const outcome = await client.hget(jobKey(prefix, 'gates', job.id!), OUTCOME);
    if (outcome !== null) return JSON.parse(outcome) as Json;
    const held = heldSchema.safeParse(job.data);
    // Promoted by a person, a need's gate opens without the need's result.
    if (!held.success) return null;
    await gates.open([job.id!], await opened(held.data));
    // What follows from the answer opens gates too, this one among them, so it is no longer this worker's to complete:
    // of BullMQ's errors, this one makes it leave the job alone.
    throw new WaitingError();
  };
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
