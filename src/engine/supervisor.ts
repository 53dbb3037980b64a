/**
 * The supervisor: takes requests, has them recorded, compiles and submits, relays, and keeps Redis in step with
 * the log. It never executes a task.
 *
 * Invariants kept here: 1, 2 (every request is recorded before it has an effect; effects can be repeated, and a
 * start repeats them).
 */
import type { Shell } from '../agents/shell.js';
import { FairOrder } from '../compile/fair-order.js';
import { type Answer, answered, unwrap } from '../core/answer.js';
import { asError } from '../core/errors.js';
import type { NewEvent } from '../core/events.js';
import { ENGINE_QUEUES } from '../core/ids.js';
import { type Json, jsonSchema } from '../core/plan.js';
import { requestJson } from '../core/request.js';
import type { QueuesNow } from '../projections/around.js';
import { startCommandWorker } from '../queues/commands.js';
import { type Connection, unlessAway } from '../queues/connection.js';
import type { RedisSource } from '../queues/redis-source.js';
import { keepStreams } from '../queues/flows.js';
import { Gates, type HeldGate, startEngineWorkers } from '../queues/gates.js';
import { Jobs } from '../queues/jobs.js';
import { Queues } from '../queues/queues.js';
import { Limits } from '../queues/limits.js';
import { takeOver } from '../queues/take-over.js';
import { readLimits } from '../projections/limits.js';
import type { WorkerTiming } from '../queues/timing.js';
import {
  type DecisionOn,
  isRequest,
  noCommand,
  type Recorded,
  type RequestName,
} from './decisions/decide.js';
import type { Enqueued } from './decisions/enqueue.js';
import type { EffectParts } from './effects/effect.js';
import { EFFECTS } from './effects/effects.js';
import { enqueueEffect } from './effects/enqueue.js';
import { findOutcomes } from './outcomes.js';
import { Reconciler, type ReconcileParts } from './reconcile.js';
import type { Recording } from './recording/recording.js';
import type { ChangedGoal } from './recording/recording-thread.js';
import { surveyUnlessAway } from './queue-survey.js';
import { Retention, type RetentionPolicy } from './retention.js';
import { ScheduleKeeper } from './schedule-keeper.js';
import { Steering } from './steering.js';
import { Submission } from './submitting/submission.js';
import { capabilitiesOf } from './task-refs.js';
import { Turns } from './turns.js';
import { Landings } from './workspaces/landings.js';
import type { Projects } from './workspaces/projects.js';
import { readLineFor } from './workspaces/read-line.js';
import { Upkeep } from './upkeep.js';

export interface SupervisorOptions {
  readonly connection: Connection;
  /** For the connections of threads. */
  readonly redis: RedisSource;
  readonly prefix: string;
  /** Where the log lies. */
  readonly dataDir: string;
  readonly recording: Recording;
  readonly projects: Projects;
  /** For checks of what lands. */
  readonly shell: Shell;
  readonly retention: RetentionPolicy;
  /** How soon the work of a supervisor that was killed is taken up again. */
  readonly timing: WorkerTiming;
  /** Redis is away or does not answer, for this reason; null when it does again. */
  readonly onTrouble: (reason: string | null) => void;
  readonly onError: (error: Error) => void;
}

export class Supervisor {
  private readonly parts: EffectParts;
  private readonly reconciler: Reconciler;
  private readonly retention: Retention;
  private readonly keeper: ScheduleKeeper;
  private readonly upkeep: Upkeep;
  private readonly workers: { close: (force?: boolean) => Promise<void> }[] = [];
  private readonly unsubscribe: () => void;

  constructor(private readonly options: SupervisorOptions) {
    const { connection, prefix, recording, projects, shell, onTrouble, onError } = options;
    const { client } = connection;
    const queues = new Queues(client, prefix);
    const jobs = new Jobs(client, prefix, queues);
    const gates = new Gates(client, prefix);
    const order = new FairOrder();
    const limits = new Limits(client, prefix);
    const turns = new Turns();
    const parts: ReconcileParts = {
      client,
      prefix,
      recording,
      projects,
      submission: new Submission({
        client,
        prefix,
        dataDir: options.dataDir,
        redis: options.redis,
      }),
      queues,
      jobs,
      gates,
      turns,
      order,
      limits,
      steering: new Steering({ client, prefix, queues, jobs, gates, order, limits, turns }),
      landings: new Landings({ recording, projects, turns, shell, onError }),
      watch: (names) => this.watch(names),
      onError,
    };
    this.reconciler = new Reconciler(parts);
    this.retention = new Retention(parts, options.retention);
    this.keeper = new ScheduleKeeper({
      client,
      prefix,
      recording,
      timing: options.timing,
      fire: (schedule, due) =>
        this.request(
          'scheduleFire',
          { schedule, ...(due !== undefined && { due }) },
          `schedule ${schedule}`,
        ),
      onError,
    });
    this.parts = {
      ...parts,
      reconciler: this.reconciler,
      retention: this.retention,
      keeper: this.keeper,
    };
    this.upkeep = new Upkeep({
      connection,
      prefix,
      logId: recording.log.id(),
      queues: () => recording.watched(),
      recover: () => this.recover(),
      sweep: async () => {
        await this.reconciler.lookForRemoved(Date.now());
        await this.reconciler.reconcileOwed();
        await this.retention.sweep(Date.now());
        await this.parts.limits.sweep();
        // "Pause all" of Bull Board is meant for work: without these nobody could even ask to go on.
        await this.parts.queues.resume(ENGINE_QUEUES);
      },
      onTrouble,
      onError,
    });
    recording.onGap = (queue) => this.outcomes(queue);
    recording.onSwitched = (queue) => {
      this.followSwitch(queue).catch((error: unknown) => onError(asError(error)));
    };
    this.unsubscribe = recording.onCommit((changes) => this.follow(changes));
  }

  /**
   * Catches up with the streams, rebuilds what Redis lacks, then goes on.
   * @throws DroverError `conflict` where another log owns the prefix.
   */
  async start(): Promise<void> {
    const { connection, prefix, recording, timing, onError } = this.options;
    const { client } = connection;
    await this.upkeep.claimPrefix();
    const open = recording.board
      .inState('OPEN', 'SETTLED')
      .flatMap((goal) => [...capabilitiesOf(goal)]);
    const capabilities = new Set([...recording.log.cursors().keys(), ...open]);
    await this.watch(capabilities);
    await recording.catchUp();
    for (const capability of capabilities) await this.followSwitch(capability);
    await this.parts.limits.set(readLimits(recording.log));
    // Cancels whose effects were lost with the process that recorded them, or that nobody was there to have.
    await this.retention.sweep(Date.now());
    // Recovering does the same, and more.
    if (!(await this.upkeep.compare())) await this.reconciler.reconcileAll();
    await recording.start();
    void this.parts.landings.settleAll();
    await takeOver(client, prefix, ENGINE_QUEUES);
    await this.keeper.start();
    this.workers.push(
      startEngineWorkers(
        client,
        prefix,
        this.parts.gates,
        timing,
        (gate) => this.opened(gate),
        onError,
      ),
      startCommandWorker(
        client,
        prefix,
        (...command) => this.carryOut(...command),
        timing,
        onError,
      ),
    );
    this.upkeep.start();
    recording.onReplaced = () => {
      this.takeUp().catch((error: unknown) => onError(asError(error)));
    };
  }

  /** Does what a start does about requests that were recorded and never answered, and switches nobody heard of. */
  private async takeUp(): Promise<void> {
    const { recording } = this.options;
    for (const capability of recording.watched()) await this.followSwitch(capability);
    await this.parts.limits.set(readLimits(recording.log));
    await this.reconciler.reconcileAll();
    void this.parts.landings.settleAll();
    await this.keeper.compare();
  }

  /** How the queues of capabilities stand; undefined where Redis is away. */
  survey(capabilities: readonly string[]): Promise<QueuesNow> {
    return surveyUnlessAway(this.options.connection.client, this.parts.queues, capabilities);
  }

  /** All queues of this Drover, the engine's first. */
  queues(): string[] {
    return [...ENGINE_QUEUES, ...this.options.recording.watched()];
  }

  /** Carries a command out once, however often it is delivered, and answers it. */
  async carryOut(id: string, name: string, input: unknown, by: string): Promise<Answer<Json>> {
    const answer = await answered(async () => {
      if (!isRequest(name)) throw noCommand(name);
      const asked =
        name === 'enqueue' ? this.enqueue(input, by, id) : this.request(name, input, by, id);
      return jsonSchema.parse(await asked);
    });
    // A full disk passes: the command waits in its queue until it can be recorded.
    if ('refused' in answer && answer.refused.code === 'log-unwritable') {
      this.options.recording.cannotWrite(answer.refused.message);
      return unwrap(answer);
    }
    return answer;
  }

  /** Has a request recorded, carries it out and answers with what was decided. */
  async request<N extends RequestName>(
    name: N,
    input: unknown,
    by: string,
    id?: string,
  ): Promise<DecisionOn<N>> {
    const { decision } = await this.decide(name, input, by, id);
    await EFFECTS[name](this.parts, decision);
    return decision;
  }

  async enqueue(input: unknown, by: string, id?: string): Promise<Enqueued> {
    const { decision, begun } = await this.decide('enqueue', input, by, id);
    const goal = await enqueueEffect(this.parts, decision, begun);
    const waitingFor: string[] = [];
    for (const capability of capabilitiesOf(goal)) {
      if (!(await this.parts.queues.hasWorkers(capability))) waitingFor.push(capability);
    }
    const tasks = [...goal.tasks.values()].map(({ spec }) => [spec.name, spec.id]);
    return {
      goal: goal.id,
      created: decision.created,
      tasks: Object.fromEntries(tasks),
      waitingFor,
    };
  }

  private async decide<N extends RequestName>(
    name: N,
    input: unknown,
    by: string,
    id: string | undefined,
  ): Promise<Recorded<DecisionOn<N>>> {
    const { recording, projects } = this.options;
    const request = requestJson(input);
    const parts = { projects, log: recording.log, goal: (of: string) => recording.board.goal(of) };
    const line = name === 'rollback' ? await readLineFor(parts, request) : undefined;
    return recording.decide({ name, input: request, by, id, line });
  }

  /** @param force leaves what runs to the next start. */
  async close(force = false): Promise<void> {
    await this.upkeep.stop();
    this.unsubscribe();
    const closing = Promise.all([
      this.keeper.close(force),
      ...this.workers.map((worker) => worker.close(force)),
    ]);
    await unlessAway(this.options.connection.client, closing);
    const { submission, queues, gates, landings } = this.parts;
    await landings.close();
    await Promise.all([submission.close(), queues.close(), gates.close()]);
  }

  /** Has the streams of these queues kept and recorded; to be called before anything is submitted to them. */
  private async watch(capabilities: Iterable<string>): Promise<void> {
    const { recording, connection, prefix } = this.options;
    const watched = new Set(recording.watched());
    const added = [...capabilities].filter((capability) => !watched.has(capability));
    if (added.length === 0) return;
    // Redis carries out what is sent behind it later, also for those who ask meanwhile and find nothing to add.
    const kept = keepStreams(connection.client, prefix, added);
    await Promise.all([kept, ...added.map((capability) => recording.watch(capability))]);
  }

  /** A gate has opened by its time, or by hand in Bull Board: an answer like any other. */
  private async opened(held: HeldGate): Promise<Json> {
    await this.request('gate', held, 'gates');
    const task = this.options.recording.board.goal(held.goal)?.tasks.get(held.task);
    return task?.gates.find(({ kind }) => kind === held.gate)?.value ?? null;
  }

  /** A capability that somebody paused elsewhere is as paused as one that Drover was asked to pause. */
  private async followSwitch(capability: string): Promise<void> {
    const paused = await this.parts.steering.switchedByOthers(capability);
    if (paused !== undefined) await this.request('switched', { capability, paused }, 'queue');
  }

  /** Effects of what was recorded, by whomever. */
  private follow(changes: ReadonlyMap<string, ChangedGoal>): void {
    const failed = (error: unknown): void => this.options.onError(asError(error));
    for (const [goal, { state, tasks, began, merged }] of changes) {
      this.reconciler.opened(goal, tasks).catch(failed);
      if (began.length > 0) this.reconciler.began(goal, began).catch(failed);
      if (state === 'DONE' || state === 'CANCELLED') this.reconciler.forget(goal);
      if (state === 'DONE' && merged) void this.parts.landings.settle(goal);
      if (state !== 'OPEN') this.keeper.ended(goal);
    }
  }

  /** What a queue's jobs came to that the log takes for open. */
  private async outcomes(queue: string): Promise<NewEvent[]> {
    const found: NewEvent[] = [];
    for (const goal of this.options.recording.board.inState('OPEN', 'SETTLED')) {
      found.push(...(await findOutcomes(this.parts, goal, queue)));
    }
    return found;
  }

  /**
   * Brings a Redis in step with the log that was started again and may have lost its last second, or that lost
   * everything. The log catches up first: what it does not know yet looks as if Redis had gone astray.
   */
  private async recover(): Promise<void> {
    const { recording } = this.options;
    await recording.catchUp();
    await this.parts.limits.set(readLimits(recording.log));
    await this.reconciler.reconcileAll();
    await this.reconciler.repairDone();
    await this.keeper.compare();
    // Twice, because of what was claimed in between and is not recorded yet.
    await this.reconciler.raiseClaims();
    await recording.catchUp();
    await this.reconciler.raiseClaims();
  }
}
