/**
 * A worker on one capability queue, with Drover's defaults, and the translation of an attempt's outcome into
 * what BullMQ expects. Agents see neither jobs nor BullMQ's control-flow errors.
 */
import {
  DelayedError,
  ErrorCode,
  type Job,
  raw2NextJobData,
  UnrecoverableError,
  WaitingChildrenError,
  WaitingError,
  Worker,
} from 'bullmq';
import type { Redis } from 'ioredis';
import type { Backoff, Json } from '../core/plan.js';
import type { Claim, Claims } from './claim.js';
import { Locks } from './locks.js';
import type { WorkerTiming } from './timing.js';

/** How an attempt ended. */
export type Outcome =
  | { readonly kind: 'done'; readonly result: Json }
  /** Done, and its job was completed when its claim was opened; BullMQ's answer to that. */
  | { readonly kind: 'completed'; readonly result: Json; readonly answer: unknown }
  /** `final` failures use up all attempts that are left. */
  | { readonly kind: 'failed'; readonly error: Error; readonly final: boolean }
  /** Back into the queue, no attempt used; milliseconds until it is offered again. */
  | { readonly kind: 'declined'; readonly delay: number }
  /** Waits for tasks that it added; it is claimed again when they are done. */
  | { readonly kind: 'suspended' }
  /** A gate was removed that nobody has answered: it is put back, and the task waits behind it, no attempt used. */
  | { readonly kind: 'ungated' }
  /** Another claim holds the task by now, or nobody: nothing is written. */
  | { readonly kind: 'lost' }
  /** Its agent has to go, or the claim was numbered wrongly: back into the queue at once, no attempt used. */
  | { readonly kind: 'stopped' };

/**
 * How often a task may outlive its worker before it is failed. BullMQ's default of once would fail a task
 * because machines were restarted twice.
 */
const MAX_STALLS = 25;

/** Milliseconds after which a worker looks again whether its queue's rate is still used up. */
const RATE_LOOK = 1_000;

export interface AgentWorkerOptions {
  readonly connection: Redis;
  readonly claims: Claims;
  readonly capability: string;
  /** Shown in Bull Board as the job's processor. */
  readonly name: string;
  readonly concurrency: number;
  readonly timing: WorkerTiming;
  readonly onError: (error: Error) => void;
  /**
   * One attempt; `stop` is aborted when its lock is lost, and may be for other reasons: an attempt has one controller,
   * because they cost more than the rest of a short one.
   */
  readonly attempt: (claim: Claim, stop: AbortController) => Promise<Outcome>;
}

export interface AgentWorker {
  /** Resolves once it takes tasks. */
  readonly ready: () => Promise<unknown>;
  /** Takes no more tasks and waits for the running ones; with `force` it leaves them to the next worker. */
  readonly close: (force?: boolean) => Promise<void>;
}

export function startAgentWorker(options: AgentWorkerOptions): AgentWorker {
  const { claims, attempt, timing, name } = options;
  let isClosing = false;
  const holder = { name, lockDuration: timing.lockDuration, takesMore: () => !isClosing };
  const run = async (job: Job, token: string, stop: AbortController): Promise<Json> => {
    const claim = claims.of(job, token, holder);
    for (;;) {
      const outcome = await attempt(claim, stop);
      // Where Redis is away: a slot whose job has no lock is free, and the supervisor's sweep finds it.
      await claim.release().catch(options.onError);
      switch (outcome.kind) {
        // BullMQ has the job complete itself next, and goes on with what that answers.
        case 'done':
          job.moveToCompleted = async () => nextOf(await claim.complete(outcome.result));
          return outcome.result;
        case 'completed':
          job.moveToCompleted = async () => nextOf(outcome.answer);
          return outcome.result;
        case 'failed':
          throw failure(job, claim, outcome.error, outcome.final);
        case 'declined':
          await job.moveToDelayed(Date.now() + outcome.delay, token);
          throw new DelayedError();
        case 'ungated':
          await claim.gateAgain();
          if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
          // It was answered at once.
          await job.moveToWait(token);
          throw new WaitingError();
        case 'suspended':
          if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
          // They were done before the task could be put aside, so it goes straight on.
          break;
        case 'stopped':
          await job.moveToWait(token);
          throw new WaitingError();
        case 'lost':
          // The one of BullMQ's errors that makes it leave the job alone.
          throw new WaitingError();
        default:
          return outcome satisfies never;
      }
    }
  };
  const process = async (job: Job, token?: string): Promise<Json> => {
    const stop = new AbortController();
    return locks.hold(job.id!, token!, stop, () => run(job, token!, stop));
  };
  const worker = new Worker(options.capability, process, {
    connection: options.connection,
    prefix: claims.prefix,
    name,
    concurrency: options.concurrency,
    lockDuration: timing.lockDuration,
    // By `locks` instead; its file says why.
    skipLockRenewal: true,
    stalledInterval: timing.stalledInterval,
    maxStalledCount: MAX_STALLS,
    // A rate may have places again before its time is over: they were given back (held.ts), or it was raised.
    maximumRateLimitDelay: RATE_LOOK,
    // After Redis was away: BullMQ's default of 15 s would leave its workers idle for longer than the outage.
    runRetryDelay: 500,
  });
  worker.on('error', (error) => {
    if (!isRefusedEnd(error)) options.onError(error);
  });
  const locks = new Locks(
    (jobs, tokens) => worker.extendJobLocks(jobs, tokens, timing.lockDuration),
    timing.lockDuration / 3,
    options.onError,
  );
  return {
    ready: () => worker.waitUntilReady(),
    async close(force = false) {
      isClosing = true;
      await worker.close(force);
      locks.stop();
    },
  };
}

/** What BullMQ makes of its script's answer: the worker's next job, or nothing. */
const nextOf = (answer: unknown): unknown[] =>
  Array.isArray(answer) ? raw2NextJobData(answer) : [];

/**
 * Whether BullMQ has refused the end of a claim that was cancelled or lost on its way: what is meant to happen, and
 * the log says who holds the task.
 */
function isRefusedEnd(error: Error): boolean {
  const code: unknown = 'code' in error ? error.code : undefined;
  return code === ErrorCode.JobLockNotExist || code === ErrorCode.JobLockMismatch;
}

/**
 * BullMQ computes the backoff from the job's options when it moves the job. A cap is not among its options,
 * so the delay of this one retry is replaced in memory; the job in Redis keeps its policy.
 */
function failure(job: Job, claim: Claim, error: Error, final: boolean): Error {
  if (final) return new UnrecoverableError(error.message);
  const { backoff } = claim.data.task.retry;
  const delay = backoffDelay(backoff, job.attemptsMade + 1, Math.random());
  job.opts.backoff = { type: 'fixed', delay };
  return error;
}

/**
 * Milliseconds to wait before the next attempt.
 * @param failures failed attempts so far, the present one included
 * @param chance between 0 and 1
 */
export function backoffDelay(backoff: Backoff, failures: number, chance: number): number {
  const base = backoff.type === 'fixed' ? backoff.delay : backoff.delay * 2 ** (failures - 1);
  const capped = Math.min(base, backoff.cap);
  return Math.round(capped * (1 - backoff.jitter * chance));
}
