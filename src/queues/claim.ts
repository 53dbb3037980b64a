/**
 * One worker's claim on one task, and the only way an agent writes.
 *
 * Invariants kept here: 5 (every write is one script of `claim-scripts.ts`, and a claim that lost its task is told so
 * and has written nothing).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { DroverError } from '../core/errors.js';
import type { AgentEvent } from '../core/events.js';
import type { Json } from '../core/plan.js';
import { type GateKind, heldJobId } from '../core/ids.js';
import { type ClaimScripts, claimScripts } from './claim-scripts.js';
import { Gates } from './gates.js';
import { jobKey, journalKey, streamKey } from './keys.js';
import { type Counted, keyLimit, Limits, projectLimit } from './limits.js';
import { countedSchema, type Opened, openedOf } from './opened.js';
import { engineParent } from './pass-on.js';
import type { ScriptArgument } from './script.js';
import { type TaskData, taskDataOf } from './task-data.js';
import { type Write, writeArguments } from './writes.js';

/** Milliseconds between two looks whether the supervisor has vouched for Redis. */
const UNREADY = 100;

const completedSchema = z.tuple([z.literal('open'), countedSchema, z.unknown()]);

/**
 * The claim got its number from a Redis that had lost claims which the log has: the task goes back and is claimed
 * again, under the next number.
 */
export class Renumbered extends Error {
  override readonly name = 'Renumbered';
}

/** Its goal or project is paused, or a limit used up: the job was put aside, and is claimed again afterwards. */
export class Held extends Error {
  override readonly name = 'Held';
}

/** A gate of it was removed that nobody has answered: it is put back, and the task waits behind it. */
export class Ungated extends Error {
  override readonly name = 'Ungated';
}

/** Who holds a claim, as far as the next one is taken together with the end of this one. */
export interface ClaimHolder {
  /** Shown in Bull Board as the job's processor. */
  readonly name: string;
  /** Milliseconds. */
  readonly lockDuration: number;
  /** Whether it takes another job at all. */
  readonly takesMore: () => boolean;
}

export class Claims {
  private readonly limits: Limits;
  private readonly scripts: ClaimScripts;

  constructor(
    private readonly client: Redis,
    readonly prefix: string,
  ) {
    this.limits = new Limits(client, prefix);
    this.scripts = claimScripts(client);
  }

  of(job: Job, token: string, holder: ClaimHolder): Claim {
    return new Claim(job, token, this.prefix, holder, this.scripts, this.limits, this.client);
  }
}

export class Claim {
  readonly data: TaskData;
  /** Numbered 1, 2, 3… over the task's whole life. */
  readonly number: number;
  private readonly key: string;
  private opening: Promise<unknown> | undefined;
  /** Limits of which it holds a slot. */
  private counted: readonly Counted[] = [];
  /** When Redis was last asked and said that it holds the task. */
  private heldAt = 0;

  constructor(
    private readonly job: Job,
    private readonly token: string,
    private readonly prefix: string,
    private readonly holder: ClaimHolder,
    private readonly scripts: ClaimScripts,
    private readonly limits: Limits,
    private readonly client: Redis,
  ) {
    this.data = taskDataOf(job.data);
    this.number = this.data.floor + job.attemptsStarted;
    this.key = jobKey(prefix, job.queueName, job.id!);
  }

  /** Gates that have to be answered before it begins. */
  get gates(): readonly GateKind[] {
    return this.data.gates ?? [];
  }

  get jobId(): string {
    return this.job.id!;
  }

  /**
   * Whether its lock may be gone without this process, which may have stood still, having heard of it. Locks are
   * renewed twice in their life, so one that was there a moment ago is there.
   */
  get doubtful(): boolean {
    return Date.now() - this.heldAt > this.holder.lockDuration / 2;
  }

  /** Failed attempts before this one. */
  get attemptsMade(): number {
    return this.job.attemptsMade;
  }

  /** Why the attempt before this one failed. */
  get lastError(): string | undefined {
    return this.job.failedReason || undefined;
  }

  /**
   * Announces the claim's first events and reads what the task may see, in one round trip. Where Redis has just
   * been started, it waits until the supervisor has vouched for it.
   * @throws the signal's reason, `Renumbered`, `Held`, `Ungated`, or DroverError `stale-claim` or `cancelled`.
   */
  open(events: readonly AgentEvent[], signal: AbortSignal): Promise<Opened> {
    const opening = this.openNow(events, signal);
    this.opening = opening;
    return opening;
  }

  /**
   * Opens the claim and completes its job, in one script: for a handler that has returned before anybody asked whether
   * it may begin. Where it may not, nothing is completed.
   * @param result its JSON text
   * @returns BullMQ's answer, with the worker's next job
   * @throws like `open`
   */
  async openAndComplete(
    events: readonly AgentEvent[],
    result: string,
    signal: AbortSignal,
  ): Promise<unknown> {
    const reply = await this.whenReady(signal, () =>
      this.scripts.openAndComplete(
        this.key,
        ...this.beginning(),
        ...this.ending(result),
        ...events.map((event) => this.encode(event)),
      ),
    );
    const [, counted, answer] = completedSchema.parse(reply);
    this.counted = counted;
    return this.unlessRefused(answer);
  }

  /**
   * Completes the job of an open claim.
   * @returns BullMQ's answer, with the worker's next job
   * @throws Error with BullMQ's `code` where the job is not this claim's any more
   */
  async complete(result: Json): Promise<unknown> {
    const { attemptsStarted } = this.job;
    const claim = [this.prefix, this.token, attemptsStarted, this.jobId];
    return this.unlessRefused(
      await this.scripts.complete(this.key, ...claim, ...this.ending(JSON.stringify(result))),
    );
  }

  private unlessRefused(answer: unknown): unknown {
    if (typeof answer !== 'number' || answer >= 0) return answer;
    const error = new Error(`BullMQ did not complete ${this.jobId}: ${answer}`);
    throw Object.assign(error, { code: answer });
  }

  private async openNow(events: readonly AgentEvent[], signal: AbortSignal): Promise<Opened> {
    const reply = await this.whenReady(signal, () =>
      this.scripts.open(
        this.key,
        `${this.key}:processed`,
        `${this.key}:failed`,
        journalKey(this.prefix, this.jobId),
        ...this.beginning(),
        ...events.map((event) => this.encode(event)),
      ),
    );
    const { counted, opened } = openedOf(reply, this.data);
    this.counted = counted;
    return opened;
  }

  /**
   * Writes everything given, or nothing.
   * @throws DroverError `stale-claim` where another claim holds the task by now.
   */
  async write(writes: readonly Write[]): Promise<void> {
    const asked = Date.now();
    const reply = await this.scripts.write(
      `${this.key}:lock`,
      this.key,
      streamKey(this.prefix, this.job.queueName),
      journalKey(this.prefix, this.jobId),
      `${this.key}:logs`,
      this.token,
      this.job.attemptsStarted,
      this.jobId,
      ...writeArguments(writes, (event) => this.encode(event)),
    );
    if (!Array.isArray(reply) || reply[0] !== 'written') throw this.refused(reply);
    this.heldAt = asked;
  }

  /** Gives back what it counted against; to be called when nothing of the attempt runs any more. */
  async release(): Promise<void> {
    await this.opening?.catch(() => undefined);
    if (this.counted.length === 0) return;
    const { counted } = this;
    this.counted = [];
    await this.limits.release(this.key, `${this.job.attemptsStarted}:${this.token}`, counted);
  }

  /** Puts back the gates that somebody removed before they were answered; its job can wait for them then. */
  async gateAgain(): Promise<void> {
    const { goal, task } = this.data;
    const answered = new Set(await this.client.hkeys(`${this.key}:processed`));
    const gates = new Gates(this.client, this.prefix);
    const missing = this.gates.filter((kind) => !answered.has(this.gateKey(kind)));
    const { wait } = task;
    const name = wait && 'signal' in wait ? { name: wait.signal } : {};
    try {
      await gates.restore(
        this.job,
        missing.map((gate) => ({ goal, task: task.id, gate, ...(gate === 'signal' && name) })),
      );
    } finally {
      await gates.close();
    }
  }

  private gateKey(kind: GateKind): string {
    return jobKey(this.prefix, 'gates', heldJobId(this.jobId, kind));
  }

  /** Asks until the supervisor has vouched for Redis; the answer of a claim that may begin. */
  private async whenReady(signal: AbortSignal, ask: () => Promise<unknown>): Promise<unknown> {
    let asked = Date.now();
    let reply = await ask();
    while (statusOf(reply) === 'unready') {
      signal.throwIfAborted();
      await delay(UNREADY);
      asked = Date.now();
      reply = await ask();
    }
    const status = statusOf(reply);
    if (status === 'renumbered') throw new Renumbered();
    if (status === 'held') throw new Held();
    if (status === 'ungated') throw new Ungated();
    if (status !== 'open') throw this.refused(reply);
    this.heldAt = asked;
    return reply;
  }

  /** What the scripts are told that let a claim begin. */
  private beginning(): ScriptArgument[] {
    const { concurrency } = this.data.task;
    return [
      this.prefix,
      this.token,
      this.job.attemptsStarted,
      this.jobId,
      this.data.goal,
      projectLimit(this.data.project),
      concurrency ? keyLimit(concurrency.key) : '',
      concurrency?.limit ?? '',
      this.number,
      this.gates.map((kind) => `${this.gateKey(kind)} `).join(''),
    ];
  }

  /** What the scripts are told that complete its job. */
  private ending(result: string): ScriptArgument[] {
    const { name, lockDuration, takesMore } = this.holder;
    const parent = engineParent(this.prefix, this.job.parentKey);
    return [Date.now(), result, takesMore() ? 1 : 0, name, lockDuration, parent];
  }

  private encode(event: AgentEvent): string {
    return JSON.stringify({ claim: this.number, ...event });
  }

  private refused(reply: unknown): DroverError {
    return statusOf(reply) === 'cancelled'
      ? new DroverError('cancelled', `${this.data.goal} is cancelled.`)
      : new DroverError(
          'stale-claim',
          `Claim ${this.number} of ${this.data.task.id} no longer holds the task; its writes are refused.`,
        );
  }
}

const statusOf = (reply: unknown): unknown => (Array.isArray(reply) ? reply[0] : undefined);
