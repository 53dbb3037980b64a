/**
 * What makes work done: it is committed, checked on the tree that the goal's branch gets, and merged.
 *
 * Invariants kept here: 4 (what is committed is journaled before it is merged), 7 (a check that fails or could not
 * run is a failure).
 */
import { DroverError } from '../core/errors.js';
import { WORK_STEP } from '../core/events.js';
import type { Json } from '../core/plan.js';
import type { Claim } from '../queues/claim.js';
import { type CheckResult, failureOf } from './check.js';
import type { Context } from './context.js';
import type { Files, Work } from './files.js';

/** Check, and merge: the task's work is proven on the tree that the goal's branch gets. */
export async function deliver(
  context: Context,
  claim: Claim,
  files: Files,
  result: Json,
  finished: Work | undefined,
): Promise<void> {
  const { task } = claim.data;
  const isAsked = finished !== undefined || files.opened || task.check !== undefined;
  if (!isAsked && !(await context.leftBySteps())) return;
  const work = finished ?? (await commitWork(context, files, result));
  if (work === null) {
    if (task.check) await requirePassed(context, [await files.check()]);
    await files.close();
    return;
  }
  const integration = await files.integrate(work, result);
  if (integration.kind === 'stale') throw staleClaim(claim);
  const { checks } = integration;
  if (integration.kind === 'refused') {
    // The next attempt has to do it anew, finished steps aside.
    const left = await context.leftBySteps();
    await context.write([{ step: WORK_STEP, result: left === undefined ? null : { left } }]);
    await requirePassed(context, checks);
    throw new Error(integration.reason);
  }
  await requirePassed(context, checks);
  const { commit, branch, together } = integration;
  await context.write([
    { event: { type: 'task.merged', commit, branch, together: [...together] } },
  ]);
  await files.close();
}

async function commitWork(context: Context, files: Files, result: Json): Promise<Work | null> {
  // A check needs a place to run in, and what finished steps left has to be there.
  if (!files.opened) await context.workspace();
  const work = await files.commit(`${context.id}: ${context.title}`);
  if (work === null) return null;
  // Where it cannot be merged, finished steps are not run again: what they left is still to be known then.
  const left = await context.leftBySteps();
  const finished = { result, work: { ...work }, ...(left !== undefined && { left }) };
  await context.write([{ step: WORK_STEP, result: finished }]);
  return work;
}

async function requirePassed(context: Context, checks: readonly CheckResult[]): Promise<void> {
  await context.write(checks.map((check) => ({ event: { type: 'check.finished', ...check } })));
  const bad = checks.find(({ passed }) => !passed);
  if (bad) throw new Error(`The ${failureOf(bad)}`);
}

const staleClaim = ({ number, data: { task } }: Claim): DroverError =>
  new DroverError(
    'stale-claim',
    `Claim ${number} of ${task.id} no longer holds the task; its work is not merged.`,
  );
