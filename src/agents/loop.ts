/**
 * The agent's loop: observe, orient, decide, act, check; one call is one claim's attempt, and each stage is in
 * the log.
 *
 * Invariants kept here: 4, 5 (through the claim), 7 (a task with a check is done only if the check ran here and
 * passed: see `deliver.ts`), 9.
 */
import { z } from 'zod';
import { durationText } from '../core/duration-text.js';
import { asError, DroverError } from '../core/errors.js';
import { type AgentEvent, WORK_STEP } from '../core/events.js';
import { writeJson, written } from '../core/json.js';
import { jsonSchema } from '../core/plan.js';
import { type Claim, Held, Renumbered, Ungated } from '../queues/claim.js';
import type { Outcome } from '../queues/worker.js';
import { Context, Declined, type Grow, type TaskContext } from './context.js';
import { deliver } from './deliver.js';
import { ChangedOutside, type ClaimContext, type Files } from './files.js';
import { Opening } from './opening.js';
import { PatientFiles } from './patience.js';
import { reasonOf } from './reason.js';
import { isInline, storeResult } from './results.js';

/**
 * Works on one task at a time. What it returns, or resolves with, is the task's result and has to be JSON (undefined is
 * null); what it throws fails the attempt.
 */
export type Handler = (task: TaskContext) => unknown;

export interface Agent {
  /** Shown in the log and in Bull Board. */
  readonly name: string;
  readonly handle: Handler;
  /** Orient and decide: a reason not to take the task, or undefined to take it. */
  readonly declines?:
    | ((task: TaskContext) => string | undefined | Promise<string | undefined>)
    | undefined;
  /** Whether a limit may keep this project's tasks from beginning. */
  readonly mayLimit: (project: string) => boolean;
  /** Aborts when the agent has to go. What runs then may end; what only waits goes back. */
  readonly leaving: AbortSignal;
  /** The files of one claim's task. */
  readonly files: (claim: Claim, context: ClaimContext) => Files;
  readonly grow: Grow;
  /** Where large results lie; without it they are refused. */
  readonly results: string | undefined;
}

const finishedSchema = z.object({
  result: jsonSchema,
  work: z.object({ start: z.string(), head: z.string() }),
});
type Finished = z.infer<typeof finishedSchema>;

/** A task that agents keep declining fails after so many declines. */
const MAX_DECLINES = 10;
/** Milliseconds that a handler gets to return after its signal aborted, before it is given up. */
const ABORT_GRACE = 10_000;

/**
 * Why a run is aborted whose agent has to go, or that began with a text that was edited meanwhile; the task goes
 * back as if it had not been claimed.
 */
export class AgentStopped extends Error {
  override readonly name = 'AgentStopped';
  constructor() {
    super('The agent was stopped.');
  }
}

/** @param stop aborts the attempt: for its timeout, a cancel, a lost lock, or because the agent has to go */
export async function runAttempt(
  claim: Claim,
  stop: AbortController,
  agent: Agent,
): Promise<Outcome> {
  const { signal } = stop;
  const { task } = claim.data;
  let timer: NodeJS.Timeout | undefined;
  try {
    const began: AgentEvent = {
      type: 'task.active',
      agent: agent.name,
      attempt: claim.attemptsMade + 1,
    };
    const observed: AgentEvent = {
      type: 'context.built',
      needs: task.needs,
      ...(claim.lastError !== undefined && { lastError: claim.lastError }),
    };
    // Where the agent takes whatever it is offered, both announcements share one round trip, and the handler is
    // called meanwhile. A refusal aborts it; whatever else it writes stands behind the announcements.
    const events = agent.declines ? [observed] : [observed, began];
    const orAbort = <T>(begun: Promise<T>): Promise<T> => {
      begun.catch((error: unknown) => stop.abort(error));
      return begun;
    };
    const opening = new Opening(() => orAbort(claim.open(events, signal)));
    const { grow, results } = agent;
    const files = new PatientFiles(
      agent.files(claim, {
        signal,
        log: (line) => context.log(line),
        tell: (event) => context.write([{ event }]),
      }),
      signal,
      { signal: agent.leaving, leave: () => stop.abort(new AgentStopped()) },
      (reason) => context.write([{ event: { type: 'attempt.hindered', reason } }]),
    );
    const context: Context = new Context(
      claim,
      opening.now,
      results,
      signal,
      grow,
      files,
      (error) => stop.abort(error),
    );
    if (task.timeout !== undefined) {
      timer = setTimeout(() => stop.abort(timeoutError(claim)), task.timeout);
    }
    try {
      if (agent.declines) {
        await opening.now();
        const reason = await agent.declines(context);
        if (reason !== undefined) return await decline(context, opening, agent, reason);
        await context.write([{ event: began }]);
      } else if (task.concurrency || claim.gates.length > 0 || agent.mayLimit(claim.data.project)) {
        // Whatever has limits or gates does nothing before it was let in.
        await opening.now();
      }
      const finished = await finishedBefore(claim, opening);
      opening.soon();
      const what = `The result of ${task.id}`;
      const result = finished
        ? written(finished.result, what)
        : writeJson(await act(context, signal, agent), what);
      // Also where the handler caught what `addTasks` throws to end it.
      if (context.suspended) {
        await files.close();
        await context.flush();
        return { kind: 'suspended' };
      }
      // Nobody has asked yet whether it may begin: one script lets it begin and completes it, or does neither.
      if (!task.check && isInline(result) && opening.forgo()) {
        const answer = await orAbort(claim.openAndComplete(events, result.text, signal));
        return { kind: 'completed', result: result.value, answer };
      }
      // A handler may be faster than the answer whether it may begin at all.
      await opening.now();
      // Checks have times of their own, and waiting for others is nobody's fault.
      clearTimeout(timer);
      const stored = await storeResult(result, results, task.id);
      await deliver(context, claim, files, stored, finished?.work);
      await context.flush();
      return { kind: 'done', result: stored };
    } catch (error) {
      const cause = asError(signal.aborted ? signal.reason : error);
      const why = await keep(files, cause);
      await context.flush();
      if (context.suspended) return { kind: 'suspended' };
      const put = putBack(signal);
      if (put) return put;
      if (error instanceof Declined) return await decline(context, opening, agent, error.message);
      return await failed(claim, context, why);
    }
  } catch (error) {
    const put = putBack(signal);
    if (put) return put;
    return failure(claim, asError(error));
  } finally {
    clearTimeout(timer);
  }
}

async function act(context: Context, signal: AbortSignal, agent: Agent): Promise<unknown> {
  signal.throwIfAborted();
  const returned = agent.handle(context);
  // Of a handler that has returned there is nothing to give up.
  const result =
    isThenable(returned) || !context.underWay.isEmpty
      ? await unlessGivenUp(toItsEnd(returned, context), signal)
      : returned;
  // A handler that ignores its signal has not done the task in time.
  signal.throwIfAborted();
  return result;
}

/** What a handler returns, once everything has ended that it began and did not wait for. */
async function toItsEnd(returned: unknown, { underWay }: Context): Promise<unknown> {
  let result: unknown;
  try {
    result = await returned;
  } catch (error) {
    await underWay.ended();
    throw error;
  }
  const [unhandled] = await underWay.ended();
  // Where that is only that the task waits for what it added, the loop knows already.
  if (unhandled !== undefined) throw asError(unhandled);
  return result;
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  'then' in value &&
  typeof value.then === 'function';

/** Waits for what a handler does, but not for one that goes on long after its signal. */
async function unlessGivenUp(work: PromiseLike<unknown>, signal: AbortSignal): Promise<unknown> {
  let giveUp: NodeJS.Timeout | undefined;
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      giveUp = setTimeout(() => reject(asError(signal.reason)), ABORT_GRACE);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    // What aborts it from now on finds nobody whom it would have to wait for.
    signal.removeEventListener('abort', onAbort);
    clearTimeout(giveUp);
  }
}

/** Work that an earlier claim finished and committed, and could not merge any more. */
async function finishedBefore(claim: Claim, opening: Opening): Promise<Finished | undefined> {
  // A first claim has no journal to wait for.
  if (claim.number === 1) return undefined;
  const { journal } = await opening.now();
  const finished = finishedSchema.safeParse(journal.get(WORK_STEP));
  return finished.success ? finished.data : undefined;
}

/**
 * Keeps what a failed attempt leaves, for the next one to see. A claim that was lost touches nothing any more.
 * @returns why it failed, with what it has changed besides
 */
async function keep(files: Files, error: Error): Promise<Error> {
  if (!files.opened || (error instanceof DroverError && error.code === 'stale-claim')) return error;
  try {
    await files.close();
  } catch (changed) {
    if (changed instanceof ChangedOutside && !(error instanceof ChangedOutside))
      return new ChangedOutside(`${error.message} ${changed.message}`);
    // Where that fails otherwise, the worktree itself is kept, and `drover worktrees` says why.
  }
  return error;
}

async function decline(
  context: Context,
  opening: Opening,
  agent: Agent,
  reason: string,
): Promise<Outcome> {
  await context.write([{ declined: reason, agent: agent.name }]);
  const declines = (await opening.now()).declines + 1;
  if (declines < MAX_DECLINES) return { kind: 'declined', delay: declines * 1_000 };
  const error = new Error(`Declined ${declines} times; at last by ${agent.name}: ${reason}`);
  return { kind: 'failed', error, final: true };
}

/** What failed is told by one text, which says what helps or what it came from as well. */
function failure(claim: Claim, error: Error): Outcome & { readonly kind: 'failed' } {
  const reason = reasonOf(error);
  return { kind: 'failed', error: retold(error, reason), final: isFinal(claim, error, reason) };
}

/** The same error, as Bull Board is to show it. */
function retold(error: Error, reason: string): Error {
  if (reason === error.message) return error;
  const { name, stack } = error;
  return Object.assign(new Error(reason), { name, ...(stack !== undefined && { stack }) });
}

async function failed(claim: Claim, context: Context, cause: Error): Promise<Outcome> {
  // A worker takes jobs one after the other under one token, so BullMQ might count this for the claim after it.
  if (cause instanceof DroverError && cause.code === 'stale-claim') return { kind: 'lost' };
  const outcome = failure(claim, cause);
  const { error, final } = outcome;
  // BullMQ refuses a claim that was lost meanwhile, whatever becomes of this announcement.
  await context
    .write([
      {
        event: { type: 'attempt.failed', error: error.message, final },
      },
      { log: error.message },
    ])
    .catch(() => undefined);
  return outcome;
}

/** Errors that a further attempt would only repeat. */
function isFinal(claim: Claim, error: Error, reason: string): boolean {
  if (error instanceof DroverError && ['cancelled', 'bad-input', 'too-large'].includes(error.code))
    return true;
  if (error.name === 'UnrecoverableError') return true;
  return claim.data.task.retry.unless.some((text) => error.name === text || reason.includes(text));
}

const timeoutError = ({ data: { task } }: Claim): DroverError =>
  new DroverError(
    'timeout',
    `${task.id} ran longer than its timeout of ${durationText(task.timeout!)}.`,
  );

/** Nobody's fault: the task goes back into its queue as if it had not been claimed, or was put aside already. */
function putBack({ reason }: AbortSignal): Outcome | undefined {
  if (reason instanceof Held) return { kind: 'lost' };
  if (reason instanceof Ungated) return { kind: 'ungated' };
  const stopped = reason instanceof AgentStopped || reason instanceof Renumbered;
  return stopped ? { kind: 'stopped' } : undefined;
}
