/**
 * The supervisor: takes requests, records them, compiles and submits, relays, and keeps Redis in step with the
 * log. It never executes a task.
 *
 * Invariants kept here: 1, 2 (every request is recorded before it has an effect; a start repeats the effects),
 * 6 (it alone writes the log).
 */
import { DroverError, messageOf } from '../core/errors.js';
import type { NewEvent } from '../core/events.js';
import type { GoalView } from '../core/goal.js';
import { ENGINE_QUEUES } from '../core/ids.js';
import { type Json, jsonSchema } from '../core/plan.js';
import { listGoals } from '../projections/goal-list.js';
import { goalWithKey } from '../projections/goal-queries.js';
import { startCommandWorker, type Answer } from '../queues/commands.js';
import type { Connection } from '../queues/connection.js';
import { Flows, keepStreams } from '../queues/flows.js';
import { Gates, startEngineWorkers } from '../queues/gates.js';
import { Jobs } from '../queues/jobs.js';
import { ownerKey } from '../queues/keys.js';
import { announceCancel } from '../queues/notices.js';
import { Streams } from '../queues/streams.js';
import type { WorkerTiming } from '../queues/worker.js';
import { Recorder } from '../recorder/recorder.js';
import { z } from 'zod';
import {
  cancelEvents,
  createGoalEvents,
  growEvents,
  noGoal,
  noTask,
  retryEvents,
} from './changes.js';
import type { Commit, Ledger } from './ledger.js';
import { announce } from './notify.js';
import { adoptOutcomes, Reconciler, refOf } from './reconcile.js';
import {
  cancelRequestSchema,
  type Enqueued,
  goalRequestSchema,
  growthRequestSchema,
  retryRequestSchema,
} from './requests.js';
import { Retention, type RetentionPolicy } from './retention.js';

export interface SupervisorOptions {
  readonly connection: Connection;
  readonly prefix: string;
  readonly ledger: Ledger;
  readonly retention: RetentionPolicy;
  /** How soon the work of a supervisor that was killed is taken up again. */
  readonly timing: WorkerTiming;
  /** Something stands still for this reason; null when it goes on. */
  readonly onTrouble: (reason: string | null) => void;
  readonly onError: (error: Error) => void;
}

/** Milliseconds between two sweeps of the retention. */
const SWEEP_EVERY = 5_000;

export class Supervisor {
  private readonly flows: Flows;
  private readonly jobs: Jobs;
  private readonly gates: Gates;
  private readonly reconciler: Reconciler;
  private readonly recorder: Recorder;
  private readonly retention: Retention;
  private readonly workers: { close: (force?: boolean) => Promise<void> }[] = [];
  private readonly reader;
  private readonly unsubscribe: () => void;
  private swept = 0;
  private away = false;

  constructor(private readonly options: SupervisorOptions) {
    const { connection, prefix, ledger } = options;
    const { client } = connection;
    this.flows = new Flows(client, prefix);
    this.jobs = new Jobs(client, prefix);
    this.gates = new Gates(client, prefix);
    const { flows, jobs, gates } = this;
    this.reconciler = new Reconciler({ client, prefix, ledger, flows, jobs, gates });
    this.retention = new Retention(ledger, jobs, options.retention);
    this.reader = connection.duplicate();
    this.recorder = new Recorder({
      streams: new Streams(this.reader, client, prefix),
      cursors: ledger.log.cursors(),
      locate: (job) => this.locate(job),
      commit: (events, cursors) => ledger.commit(events, { cursors }),
      onGap: (queue, cursor) => this.adopt(queue, cursor),
      onTrouble: options.onTrouble,
      onIdle: (queues) => this.housekeep(queues),
    });
    this.unsubscribe = ledger.onCommit((commit) => this.follow(commit));
  }

  /**
   * Catches up with the streams, rebuilds what Redis lacks, then goes on.
   * @throws DroverError `conflict` where another log owns the prefix.
   */
  async start(): Promise<void> {
    const { connection, prefix, ledger, timing, onError } = this.options;
    const { client } = connection;
    await this.claimPrefix();
    const capabilities = new Set([...ledger.log.cursors().keys(), ...this.openCapabilities()]);
    await keepStreams(client, prefix, capabilities);
    for (const capability of capabilities) await this.recorder.watch(capability);
    await this.recorder.catchUp();
    await this.finishCancels();
    await this.reconciler.reconcileAll();
    this.recorder.start();
    this.workers.push(
      startEngineWorkers(client, prefix, this.gates, timing, onError),
      startCommandWorker(
        client,
        prefix,
        (...command) => this.carryOut(...command),
        timing,
        onError,
      ),
    );
    client.on('close', this.onAway);
    client.on('ready', this.onBack);
  }

  /** Repeats the effects of cancels that were recorded while nobody, or a process that died, could have them. */
  private async finishCancels(): Promise<void> {
    const { connection, prefix, ledger } = this.options;
    for (const { id } of listGoals(ledger.log.db, { states: ['CANCELLED'], evicted: false })) {
      await announceCancel(connection.client, prefix, id);
      await this.retention.clear(this.goal(id));
    }
  }

  /** All queues of this Drover, the engine's first. */
  queues(): string[] {
    return [...ENGINE_QUEUES, ...this.recorder.queues()];
  }

  /** Carries a command out once, however often it is delivered, and answers it. */
  async carryOut(id: string, name: string, input: unknown, by: string): Promise<Answer> {
    const known = this.options.ledger.log.outcome(id);
    if (known !== undefined) return { ok: await this.answerAgain(name, known) };
    try {
      return { ok: await this.dispatch(name, input, by, id) };
    } catch (error) {
      // A full disk passes: the command waits in its queue until it can be recorded.
      if (!(error instanceof DroverError) || error.code === 'log-unwritable') throw error;
      const { code, message, remedy } = error;
      return { refused: { code, message, ...(remedy !== undefined && { remedy }) } };
    }
  }

  async enqueue(input: unknown, by: string, command?: string): Promise<Enqueued> {
    const request = parse(goalRequestSchema, input);
    const { ledger, connection, prefix } = this.options;
    const existing =
      request.key === undefined ? undefined : this.byKey(request.project, request.key);
    if (existing) return this.enqueued(existing, false);
    const next = ledger.log.nextNumbers();
    const events = createGoalEvents(request, next, by, Date.now());
    const id = events[0]!.goal;
    this.commit(events, command, { goal: id });
    const goal = ledger.board.goal(id)!;
    const capabilities = capabilitiesOf(goal);
    await keepStreams(connection.client, prefix, capabilities);
    await Promise.all([...capabilities].map((capability) => this.recorder.watch(capability)));
    await this.reconciler.submitMissing(id);
    return this.enqueued(goal, true);
  }

  async cancel(input: unknown, by: string, command?: string): Promise<void> {
    const { goal: id, why } = parse(cancelRequestSchema, input);
    const goal = this.goal(id);
    this.commit(cancelEvents(goal, by, why, Date.now()), command, null);
    await announceCancel(this.options.connection.client, this.options.prefix, id);
    await this.retention.clear(goal);
  }

  async retry(input: unknown, by: string, command?: string): Promise<void> {
    const { task: id, why } = parse(retryRequestSchema, input);
    const goal = this.options.ledger.board.goalOf(id);
    const task = goal?.tasks.get(id);
    if (!goal || !task) throw noTask(id);
    this.commit(retryEvents(goal, task, by, why, Date.now()), command, null);
    if (!(await this.jobs.retry(refOf(task)))) await this.reconciler.submitMissing(goal.id);
  }

  /** Adds tasks to a running goal; answers with their ids by name. */
  private async grow(input: unknown, command: string): Promise<Record<string, string>> {
    const request = parse(growthRequestSchema, input);
    const { ledger, connection, prefix } = this.options;
    const goal = this.goal(request.goal);
    const events = growEvents(request, goal, ledger.log.nextNumbers(), Date.now());
    const [{ event }] = events as [NewEvent & { event: { type: 'plan.grown' } }];
    const ids = Object.fromEntries(event.tasks.map((task) => [task.name, task.id]));
    this.commit(events, command, ids);
    const capabilities = new Set(event.tasks.map((task) => task.capability));
    await keepStreams(connection.client, prefix, capabilities);
    await Promise.all([...capabilities].map((capability) => this.recorder.watch(capability)));
    await this.reconciler.submitMissing(goal.id);
    return ids;
  }

  /** @param force leaves what runs to the next start. */
  async close(force = false): Promise<void> {
    const { client } = this.options.connection;
    client.off('close', this.onAway);
    client.off('ready', this.onBack);
    await Promise.all(this.workers.map((worker) => worker.close(force)));
    await this.recorder.stop();
    this.unsubscribe();
    this.reader.disconnect();
    await Promise.all([this.flows.close(), this.jobs.close(), this.gates.close()]);
  }

  private async dispatch(name: string, input: unknown, by: string, id: string): Promise<Json> {
    switch (name) {
      case 'enqueue':
        return jsonSchema.parse(await this.enqueue(input, by, id));
      case 'cancel':
        await this.cancel(input, by, id);
        return null;
      case 'retry':
        await this.retry(input, by, id);
        return null;
      case 'grow':
        return this.grow(input, id);
      default:
        throw new DroverError('bad-input', `There is no command ‘${name}’.`);
    }
  }

  /** A goal's answer is made anew, because it says which capabilities nobody offers at the moment. */
  private async answerAgain(name: string, outcome: Json): Promise<Json> {
    if (name !== 'enqueue') return outcome;
    const { goal } = z.object({ goal: z.string() }).parse(outcome);
    return jsonSchema.parse(await this.enqueued(this.goal(goal), true));
  }

  private commit(events: readonly NewEvent[], command: string | undefined, outcome: Json): void {
    this.options.ledger.commit(
      events,
      command === undefined ? {} : { command: { id: command, outcome } },
    );
  }

  /** Effects of what was recorded, by whomever. */
  private follow({ events, changed }: Commit): void {
    const { connection, prefix } = this.options;
    const failed = (error: unknown): void => this.options.onError(asError(error));
    announce(connection.client, prefix, events, changed).catch(failed);
    for (const { goal, tasks } of changed.values()) {
      this.reconciler.opened(goal, tasks).catch(failed);
      if (goal.state === 'DONE' || goal.state === 'CANCELLED') this.reconciler.forget(goal);
    }
  }

  private async housekeep(queues: readonly string[]): Promise<void> {
    const { connection, prefix } = this.options;
    // Somebody's own Queue object sets the limit back; this takes it away again.
    await keepStreams(connection.client, prefix, queues);
    if ((await connection.client.get(ownerKey(prefix))) === null) {
      await this.claimPrefix();
      await this.reconciler.reconcileAll();
    }
    if (Date.now() - this.swept < SWEEP_EVERY) return;
    await this.retention.sweep(Date.now());
    this.swept = Date.now();
  }

  private async adopt(queue: string, cursor: string): Promise<void> {
    const { connection, prefix, ledger } = this.options;
    const { jobs, gates, flows } = this;
    const parts = { client: connection.client, prefix, ledger, flows, jobs, gates };
    for (const goal of ledger.board.inState('OPEN', 'SETTLED')) {
      await adoptOutcomes(parts, goal, queue, cursor);
    }
  }

  private readonly onAway = (): void => {
    this.away = true;
    this.options.onTrouble('Redis is away; everything goes on when it is back');
  };

  private readonly onBack = (): void => {
    if (!this.away) return;
    this.away = false;
    this.options.onTrouble(null);
    // It may have lost its last second, or everything.
    this.recover().catch((error: unknown) => this.options.onError(asError(error)));
  };

  private async recover(): Promise<void> {
    await this.claimPrefix();
    await this.reconciler.reconcileAll();
  }

  /** Two logs that took turns on one prefix would each miss what the other read. */
  private async claimPrefix(): Promise<void> {
    const { connection, prefix, ledger } = this.options;
    const { client } = connection;
    const id = ledger.log.id();
    await client.set(ownerKey(prefix), id, 'NX');
    const owner = await client.get(ownerKey(prefix));
    if (owner === id) return;
    throw new DroverError(
      'conflict',
      `The keys ‘${prefix}:*’ of this Redis belong to another log (${owner}).`,
      'Use that log’s data directory, another Redis, or another prefix (--prefix).',
    );
  }

  private locate(job: string): { project: string; goal: string; task: string } | undefined {
    const goal = this.options.ledger.board.goalOf(job);
    return goal && { project: goal.project, goal: goal.id, task: job };
  }

  private *openCapabilities(): Generator<string> {
    for (const goal of this.options.ledger.board.inState('OPEN', 'SETTLED'))
      yield* capabilitiesOf(goal);
  }

  private goal(id: string): GoalView {
    const goal = this.options.ledger.board.goal(id);
    if (!goal) throw noGoal(id);
    return goal;
  }

  private byKey(project: string, key: string): GoalView | undefined {
    const { log, board } = this.options.ledger;
    const id = goalWithKey(log.db, project, key);
    return id === undefined ? undefined : board.goal(id);
  }

  private async enqueued(goal: GoalView, created: boolean): Promise<Enqueued> {
    const waitingFor: string[] = [];
    for (const capability of capabilitiesOf(goal)) {
      if ((await this.jobs.workers(capability)) === 0) waitingFor.push(capability);
    }
    const tasks = Object.fromEntries(
      [...goal.tasks.values()].map(({ spec }) => [spec.name, spec.id]),
    );
    return { goal: goal.id, created, tasks, waitingFor };
  }
}

const capabilitiesOf = (goal: GoalView): Set<string> =>
  new Set([...goal.tasks.values()].map((task) => task.spec.capability));

function parse<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new DroverError(
    'bad-input',
    `The request cannot be read: ${z.prettifyError(parsed.error)}.`,
  );
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(messageOf(error));
