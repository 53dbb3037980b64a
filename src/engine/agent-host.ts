/** The agents of one process: starts workers, and tells running attempts that their goal was cancelled. */
import { userInfo } from 'node:os';
import { randomUUID } from 'node:crypto';
import { type GrowthRequest } from '../agents/context.js';
import { type Agent, AgentStopped, type Handler, runAttempt } from '../agents/loop.js';
import { type Shell, shellHandler } from '../agents/shell.js';
import type { TaskContext } from '../agents/context.js';
import { DroverError } from '../core/errors.js';
import { capabilitySchema, type Json } from '../core/plan.js';
import { Claims } from '../queues/claim.js';
import { type Connection, type RedisClient, unlessAway } from '../queues/connection.js';
import { keepStreams } from '../queues/flows.js';
import { cancelChannel, trainChannel } from '../queues/keys.js';
import { followLimits, type KnownLimits } from '../queues/limits.js';
import { cancelListener, listen } from '../queues/notices.js';
import { closedError } from './closed.js';
import type { Workspaces } from './workspaces/workspaces.js';
import { type AgentWorker, startAgentWorker } from '../queues/worker.js';
import type { WorkerTiming } from '../queues/timing.js';

export interface AgentOptions {
  /** Tasks at a time; default 4. */
  readonly concurrency?: number;
  /** Shown in the log and in Bull Board; the user and process id unless given. */
  readonly name?: string;
  /** A reason not to take the task, or undefined to take it; a declined task uses no attempt. */
  readonly declines?: (task: TaskContext) => string | undefined | Promise<string | undefined>;
}

export interface AgentHostOptions {
  readonly connection: Connection;
  readonly prefix: string;
  readonly timing: WorkerTiming;
  readonly shell: Shell;
  readonly workspaces: Workspaces;
  readonly results: string | undefined;
  readonly grow: (request: GrowthRequest) => Promise<Json>;
  readonly onError: (error: Error) => void;
}

const DEFAULT_CONCURRENCY = 4;

export class AgentHost {
  private readonly claims: Claims;
  private readonly workers: AgentWorker[] = [];
  private readonly running = new Map<AbortController, { goal: string; job: string }>();
  private subscriber: RedisClient | undefined;
  /** A promise, so that agents which are started at once share one connection. */
  private listening: Promise<KnownLimits> | undefined;
  private readonly leaving = new AbortController();
  private stopped = false;

  constructor(private readonly options: AgentHostOptions) {
    this.claims = new Claims(options.connection.client, options.prefix);
  }

  /**
   * Offers a capability; resolves once tasks are taken.
   * @throws DroverError `bad-input`; `conflict` once it is closed
   */
  async start(
    capability: string,
    handle: Handler | 'shell',
    options: AgentOptions = {},
  ): Promise<void> {
    const parsed = capabilitySchema.safeParse(capability);
    if (!parsed.success) {
      throw new DroverError(
        'bad-input',
        `The capability ‘${capability}’ ${parsed.error.issues[0]!.message}.`,
      );
    }
    if (handle !== 'shell' && typeof handle !== 'function') {
      throw new DroverError(
        'bad-input',
        `The agent for ‘${capability}’ has no handler.`,
        "Give a function, or 'shell' for tasks that are commands.",
      );
    }
    const { concurrency = DEFAULT_CONCURRENCY } = options;
    if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
      throw new DroverError(
        'bad-input',
        `The agent for ‘${capability}’ cannot work on ${concurrency} tasks at a time.`,
        'Give a whole number from 1 on as its `concurrency`.',
      );
    }
    if (this.leaving.signal.aborted) throw closedError();
    const { connection, prefix, timing, shell, workspaces, results, grow, onError } = this.options;
    const limits = await (this.listening ??= this.listen());
    await keepStreams(connection.client, prefix, [capability]);
    const name =
      options.name ?? `${userInfo().username}-${process.pid}-${randomUUID().slice(0, 4)}`;
    const agent: Agent = {
      name,
      handle: handle === 'shell' ? shellHandler(shell) : handle,
      declines: options.declines,
      mayLimit: limits.mayLimit,
      leaving: this.leaving.signal,
      files: (claim, context) => workspaces.of(claim, name, context),
      // What the rule of growth decided; `grow` carries JSON.
      grow: async (request) => ((await grow(request)) as { added: Record<string, string> }).added,
      results,
    };
    const worker = startAgentWorker({
      connection: connection.client,
      claims: this.claims,
      capability,
      name: agent.name,
      concurrency,
      timing,
      onError,
      attempt: async (claim, stop) => {
        // Claimed in the very moment in which it was told to go.
        if (this.stopped) stop.abort(new AgentStopped());
        this.running.set(stop, { goal: claim.data.goal, job: claim.jobId });
        try {
          return await runAttempt(claim, stop, agent);
        } finally {
          this.running.delete(stop);
        }
      },
    });
    this.workers.push(worker);
    await worker.ready();
  }

  /** Waits for running tasks; with `force` it aborts them, which uses no attempt, and hands them back. */
  async close(force = false): Promise<void> {
    this.stopped ||= force;
    this.leaving.abort();
    if (force) for (const stop of this.running.keys()) stop.abort(new AgentStopped());
    // Also then not by force: an aborted run hands its task back, and the next agent need not wait for its lock.
    const closing = Promise.all(this.workers.map((worker) => worker.close()));
    await unlessAway(this.options.connection.client, closing);
    this.subscriber?.disconnect();
  }

  private async listen(): Promise<KnownLimits> {
    const { connection, prefix, onError } = this.options;
    this.subscriber = connection.duplicate();
    await listen(this.subscriber, {
      [cancelChannel(prefix)]: cancelListener({
        onCancel: (id) => {
          const error = new DroverError('cancelled', `${id} was cancelled.`);
          for (const [stop, { goal, job }] of this.running) {
            if (goal === id || job === id) stop.abort(error);
          }
        },
        onAgain: (id) => {
          for (const [stop, { job }] of this.running) {
            if (job === id) stop.abort(new AgentStopped());
          }
        },
      }),
      [trainChannel(prefix)]: (track) => this.options.workspaces.heard(track),
    });
    return followLimits(connection.client, this.subscriber, prefix, onError);
  }
}
