/**
 * One worker's claim on one task, and the only way an agent writes.
 *
 * Invariants kept here: 5 (every write checks in Redis, in the same script, that the claim still holds the
 * job's lock; a claim that lost it is refused and has written nothing), 4 (a finished step is journaled in the
 * script that announces it, so both are there or neither).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { DroverError } from '../core/errors.js';
import type { AgentEvent } from '../core/events.js';
import { answerOf } from '../core/goal.js';
import type { Json } from '../core/plan.js';
import { GATE_KINDS, type GateKind, ownerOf } from '../core/ids.js';
import { PUT_ASIDE } from './held.js';
import {
  cancelledKey,
  jobKey,
  journalKey,
  limitsKey,
  pausedKey,
  streamKey,
  vouchKey,
} from './keys.js';
import { ADMIT, type Counted, keyLimit, Limits, projectLimit } from './limits.js';
import { pauseReason } from './pauses.js';
import { defineScript } from './script.js';
import { type TaskData, taskDataOf } from './task-data.js';
import { RUN_ID } from './vouch.js';

/** One thing to write under a claim. */
export type Write =
  | { readonly event: AgentEvent }
  /** JSON text of a step's result, and the event that says so. */
  | { readonly step: string; readonly result: Json }
  | { readonly log: string }
  | { readonly progress: Json }
  /** The agent will not take the task; counted with its job. */
  | { readonly declined: string; readonly agent: string };

/** Milliseconds between two looks whether the supervisor has vouched for Redis. */
const UNREADY = 100;

/** Lines of log kept with a job in Redis, for Bull Board. */
const LOG_LINES = 1_000;

/**
 * A worker takes several jobs under one token, one after the other, and a later claim of this job may be among
 * them: the token alone does not tell that the claim is still the same, the number of claims does.
 */
const FENCE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[2], 'ats') ~= ARGV[2] then
  return {'stale'}
end
`;

/**
 * KEYS lock, job, stream, values, ignored failures, journal, cancelled, vouch, paused, limits; ARGV token, claims,
 * job, goal, prefix, project, limit of its key (or nothing), how many that allows, the claim's number, events…
 */
const OPEN = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'stale'} end
if redis.call('HGET', KEYS[2], 'ats') ~= ARGV[2] then return {'renumbered'} end
if redis.call('GET', KEYS[8]) ~= ${RUN_ID} then return {'unready'} end
if redis.call('SISMEMBER', KEYS[7], ARGV[4]) == 1 or redis.call('SISMEMBER', KEYS[7], ARGV[3]) == 1 then
  return {'cancelled'}
end
for i = 4, 6, 2 do
  if redis.call('SISMEMBER', KEYS[9], ARGV[i]) == 1 then
${PUT_ASIDE}
    putAside(ARGV[5], '${pauseReason('')}' .. ARGV[i], '', KEYS[2], ARGV[3], ARGV[9])
    return {'held'}
  end
end
local limits = {}
local ofProject = redis.call('HGET', KEYS[10], ARGV[6])
if ofProject then limits[1] = {ARGV[6], tonumber(ofProject)} end
if ARGV[7] ~= '' then limits[#limits + 1] = {ARGV[7], tonumber(ARGV[8])} end
if #limits > 0 then
${ADMIT}
  if not admit(ARGV[5], limits, KEYS[2], ARGV[3], ARGV[2] .. ':' .. ARGV[1], ARGV[9]) then return {'held'} end
end
for i = 10, #ARGV do
  redis.call('XADD', KEYS[3], '*', 'event', 'drover', 'jobId', ARGV[3], 'data', ARGV[i])
end
return {'open', redis.call('HGETALL', KEYS[4]), redis.call('HGETALL', KEYS[5]), redis.call('HGETALL', KEYS[6]),
  redis.call('HGET', KEYS[2], 'declines') or '0', limits}
`;

/** KEYS lock, job, stream, journal, logs; ARGV token, claims, job, then triples: kind, first, second. */
const WRITE = `${FENCE}
local logged = false
for i = 4, #ARGV, 3 do
  local kind = ARGV[i]
  if kind == 'event' then
    redis.call('XADD', KEYS[3], '*', 'event', 'drover', 'jobId', ARGV[3], 'data', ARGV[i + 1])
  elseif kind == 'step' then
    redis.call('HSET', KEYS[4], ARGV[i + 1], ARGV[i + 2])
  elseif kind == 'log' then
    redis.call('RPUSH', KEYS[5], ARGV[i + 1])
    logged = true
  elseif kind == 'progress' then
    redis.call('HSET', KEYS[2], 'progress', ARGV[i + 1])
  elseif kind == 'declined' then
    redis.call('HINCRBY', KEYS[2], 'declines', 1)
  end
end
if logged then redis.call('LTRIM', KEYS[5], -${LOG_LINES}, -1) end
return {'written'}
`;

const flat = z.array(z.string());
const countedSchema = z.array(z.tuple([z.string(), z.number()]));
const openedSchema = z.tuple([
  z.literal('open'),
  flat,
  flat,
  flat,
  z.coerce.number(),
  countedSchema,
]);

export interface Opened {
  /** Results of the task's needs by task id; null for an optional one that failed. */
  readonly results: Readonly<Record<string, Json>>;
  /** Data of the signals that it has waited for, by name. */
  readonly signals: Readonly<Record<string, Json>>;
  /** What the person wrote who approved or rejected it. */
  readonly note: string | undefined;
  /** Results of steps that earlier claims finished. */
  readonly journal: ReadonlyMap<string, Json>;
  /** How often agents have declined the task so far. */
  readonly declines: number;
}

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

export class Claims {
  private readonly limits: Limits;
  private readonly openScript;
  private readonly writeScript;

  constructor(
    client: Redis,
    readonly prefix: string,
  ) {
    this.limits = new Limits(client, prefix);
    this.openScript = defineScript(client, 'droverOpenClaim', 10, OPEN);
    this.writeScript = defineScript(client, 'droverWriteClaim', 5, WRITE);
  }

  of(job: Job, token: string): Claim {
    return new Claim(job, token, this.prefix, this.openScript, this.writeScript, this.limits);
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

  constructor(
    private readonly job: Job,
    private readonly token: string,
    private readonly prefix: string,
    private readonly openScript: (...args: (string | number)[]) => Promise<unknown>,
    private readonly writeScript: (...args: (string | number)[]) => Promise<unknown>,
    private readonly limits: Limits,
  ) {
    this.data = taskDataOf(job.data);
    this.number = this.data.floor + job.attemptsStarted;
    this.key = jobKey(prefix, job.queueName, job.id!);
  }

  get jobId(): string {
    return this.job.id!;
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
   * @throws the signal's reason, `Renumbered`, `Held`, or DroverError `stale-claim` or `cancelled`.
   */
  open(events: readonly AgentEvent[], signal: AbortSignal): Promise<Opened> {
    const opening = this.openNow(events, signal);
    this.opening = opening;
    return opening;
  }

  private async openNow(events: readonly AgentEvent[], signal: AbortSignal): Promise<Opened> {
    let reply = await this.tryOpen(events);
    while (statusOf(reply) === 'unready') {
      signal.throwIfAborted();
      await delay(UNREADY);
      reply = await this.tryOpen(events);
    }
    if (statusOf(reply) === 'renumbered') throw new Renumbered();
    if (statusOf(reply) === 'held') throw new Held();
    const parsed = openedSchema.safeParse(reply);
    if (!parsed.success) throw this.refused(reply);
    const [, processed, failed, journal, declines, counted] = parsed.data;
    this.counted = counted;
    const results: Record<string, Json> = { ...this.data.results };
    let { note } = this.data;
    const signals: Record<string, Json> = { ...this.data.signals };
    const { wait } = this.data.task;
    for (const [child, value] of pairs(processed)) {
      const kind = heldKindOf(child);
      if (kind === undefined) results[taskOf(child)] = parseJson(value);
      else if (kind === 'signal' && wait && 'signal' in wait)
        signals[wait.signal] = parseJson(value);
      else note = answerOf(parseJson(value))?.note ?? note;
    }
    for (const [child] of pairs(failed)) results[taskOf(child)] = null;
    return {
      results,
      signals,
      note,
      journal: new Map(pairs(journal).map(([step, value]) => [step, parseJson(value)])),
      declines,
    };
  }

  /**
   * Writes everything given, or nothing.
   * @throws DroverError `stale-claim` where another claim holds the task by now.
   */
  async write(writes: readonly Write[]): Promise<void> {
    const args = writes.flatMap((write): string[] => {
      if ('event' in write) return ['event', this.encode(write.event), ''];
      if ('log' in write) return ['log', write.log, ''];
      if ('progress' in write) {
        const { progress } = write;
        const event = this.encode({ type: 'task.progressed', progress });
        return ['progress', JSON.stringify(progress), '', 'event', event, ''];
      }
      if ('declined' in write) {
        const { agent, declined: reason } = write;
        const event = this.encode({ type: 'task.declined', agent, reason });
        return ['declined', '', '', 'event', event, ''];
      }
      const { step, result } = write;
      const event = this.encode({ type: 'step.done', step, result });
      return ['step', step, JSON.stringify(result), 'event', event, ''];
    });
    const reply = await this.writeScript(
      `${this.key}:lock`,
      this.key,
      streamKey(this.prefix, this.job.queueName),
      journalKey(this.prefix, this.jobId),
      `${this.key}:logs`,
      this.token,
      this.job.attemptsStarted,
      this.jobId,
      ...args,
    );
    if (!Array.isArray(reply) || reply[0] !== 'written') throw this.refused(reply);
  }

  /** Gives back what it counted against; to be called when nothing of the attempt runs any more. */
  async release(): Promise<void> {
    await this.opening?.catch(() => undefined);
    if (this.counted.length === 0) return;
    const { counted } = this;
    this.counted = [];
    await this.limits.release(this.key, `${this.job.attemptsStarted}:${this.token}`, counted);
  }

  private tryOpen(events: readonly AgentEvent[]): Promise<unknown> {
    const { concurrency } = this.data.task;
    return this.openScript(
      `${this.key}:lock`,
      this.key,
      streamKey(this.prefix, this.job.queueName),
      `${this.key}:processed`,
      `${this.key}:failed`,
      journalKey(this.prefix, this.jobId),
      cancelledKey(this.prefix),
      vouchKey(this.prefix),
      pausedKey(this.prefix),
      limitsKey(this.prefix),
      this.token,
      this.job.attemptsStarted,
      this.jobId,
      this.data.goal,
      this.prefix,
      projectLimit(this.data.project),
      concurrency ? keyLimit(concurrency.key) : '',
      concurrency?.limit ?? '',
      this.number,
      ...events.map((event) => this.encode(event)),
    );
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

function pairs(list: readonly string[]): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, index) => [
    list[index * 2]!,
    list[index * 2 + 1]!,
  ]);
}

/** The kind of a gate that is no need's: `task-2.approval`. */
function heldKindOf(childKey: string): GateKind | undefined {
  const kind = childKey.slice(childKey.lastIndexOf('.') + 1);
  return GATE_KINDS.find((known) => known === kind);
}

/** The task whose result a child carries: itself, its relay (`task-1.relay`) or a gate (`task-2.needs.task-1`). */
function taskOf(childKey: string): string {
  const id = childKey.slice(childKey.lastIndexOf(':') + 1);
  const gate = id.indexOf('.needs.');
  return gate === -1 ? ownerOf(id).id : id.slice(gate + '.needs.'.length);
}

const parseJson = (text: string): Json => JSON.parse(text) as Json;
