/**
 * The fence around a task: which claim may write its branch and merge it.
 *
 * Invariants kept here: 4 and 5 (what a claim has merged, no earlier one begins again). A claim holds its task while
 * `refs/drover/claims/task-123` names a note of that claim. Each write and the merge name this value in the same
 * transaction, the merge removes it, and a later claim replaces it: so of two claims that both finish, one
 * merges, whatever they believe.
 */
import { z } from 'zod';
import { DroverError } from '../core/errors.js';
import {
  branchRef,
  claimRef,
  type GoalBranch,
  goalBranch,
  keptRef,
  startedGoalBranch,
  taskBranch,
} from './branches.js';
import { refsInUse } from './in-use.js';
import { findMerge, type Merge } from './merges.js';
import { moveRefs, readRefs } from './refs.js';
import type { RefMove } from './ref-move.js';
import type { Repository } from './repository.js';

export interface ClaimRequest {
  readonly goal: string;
  readonly task: string;
  /** The claim's number. */
  readonly claim: number;
  /** Of the task's job; 1 unless given. */
  readonly generation?: number;
  /** Tells two holders of the same number apart: the lock's token, or process and host. */
  readonly owner: string;
}

/** A claim that holds its task. Plain data: it may be stored and used by another process. */
export interface Claim extends ClaimRequest {
  /** The commit of the goal's branch that the task starts from, and that its work is compared with. */
  readonly start: string;
  /** The object that the claim's reference names. */
  readonly fence: string;
  /** The work of an earlier claim of this generation that is merged already; `start` is from before that. */
  readonly merged?: string;
}

/** How often a lost race is tried again; each means that another claim or merge got on. */
const TRIES = 20;

/**
 * Takes the task over from older claims. What they committed and nobody merged stays reachable as
 * `refs/drover/kept/task-123.CLAIM`. To be repeated by the same owner as it likes.
 * @throws DroverError `stale-claim` where a later claim, or another owner of this number, holds or has merged the task;
 *   `not-found` where the goal has no branch yet
 */
export async function beginClaim(repository: Repository, request: ClaimRequest): Promise<Claim> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const goal = await startedGoalBranch(repository, request.goal);
    const merged = await findMerge(repository, goal, request.task);
    if (merged && merged.claim >= request.claim) throw staleClaim(request);
    // A task that is run again has a merge of an earlier generation, and gets another one. One of its own generation
    // is what Redis has forgotten.
    const isOwn = merged?.generation === (request.generation ?? 1);
    const claim = await take(repository, request, goal, isOwn ? merged : undefined);
    if (claim) return claim;
  }
  throw new DroverError(
    'conflict',
    `The branches of ${request.task} moved ${TRIES} times while its claim ${request.claim} was taken.`,
    'Try again when fewer agents work on this project.',
  );
}

/** Undefined where a race was lost. */
async function take(
  repository: Repository,
  request: ClaimRequest,
  { tip }: GoalBranch,
  own: Merge | undefined,
): Promise<Claim | undefined> {
  const { task, claim: number } = request;
  const start = own?.head === undefined ? tip : own.before;
  const merged = own?.head !== undefined && { merged: own.head };
  const [ref, branch] = [claimRef(task), branchRef(taskBranch(task))];
  const goal = branchRef(goalBranch(request.goal));
  const refs = await readRefs(repository, [ref, branch]);
  const held = refs.get(ref);
  const before = held === undefined ? undefined : await readNote(repository, held);
  if (before && held !== undefined && isSame(before, request)) {
    return { ...request, start: before.start, fence: held, ...merged };
  }
  if (before && before.claim >= number) throw staleClaim(request, before);
  const fence = await writeNote(repository, { ...request, start });
  const work = refs.get(branch);
  const moves: RefMove[] = [
    { ref, from: held ?? null, to: fence },
    { ref: branch, from: work ?? null, to: start },
    { ref: goal, from: tip, to: tip },
  ];
  if (work !== undefined && work !== (before?.start ?? tip)) {
    const kept = keptRef(task, before?.claim ?? number - 1);
    const there = (await readRefs(repository, [kept])).get(kept);
    if (there !== work) moves.push({ ref: kept, from: there ?? null, to: work });
  }
  const result = await moveRefs(repository, moves, `drover: begin ${task} claim ${number}`);
  return result === 'moved' ? { ...request, start, fence, ...merged } : undefined;
}

/** The claim that holds the task, undefined where none does. */
export async function readClaim(repository: Repository, task: string): Promise<Note | undefined> {
  const held = (await readRefs(repository, [claimRef(task)])).get(claimRef(task));
  return held === undefined ? undefined : readNote(repository, held);
}

/** Whether the claim still holds its task. */
export async function isHeldBy(
  repository: Repository,
  { task, fence }: Pick<Claim, 'task' | 'fence'>,
): Promise<boolean> {
  return (await readRefs(repository, [claimRef(task)])).get(claimRef(task)) === fence;
}

/**
 * Lets go of a task that is not to be merged: its branch is removed unless somebody has it checked out, its work
 * stays reachable as kept.
 */
export async function endClaim(repository: Repository, claim: Claim): Promise<void> {
  const { task, start, fence } = claim;
  const branch = branchRef(taskBranch(task));
  const refs = await readRefs(repository, [branch, keptRef(task, claim.claim)]);
  const work = refs.get(branch);
  const moves: RefMove[] = [{ ref: claimRef(task), from: fence, to: null }];
  if (work !== undefined) {
    const isInUse = (await refsInUse(repository)).has(branch);
    moves.push({ ref: branch, from: work, to: isInUse ? work : null });
  }
  if (work !== undefined && work !== start) {
    const kept = keptRef(task, claim.claim);
    moves.push({ ref: kept, from: refs.get(kept) ?? null, to: work });
  }
  const result = await moveRefs(repository, moves, `drover: end ${task} claim ${claim.claim}`);
  if (result === 'lost-race') throw staleClaim(claim, await readClaim(repository, task));
}

/** What a write is refused with. @param holder who holds the task instead, if anybody does */
export function staleClaim(
  { task, claim, owner }: ClaimRequest,
  holder?: Pick<ClaimRequest, 'claim' | 'owner'>,
): DroverError {
  const instead = holder
    ? `claim ${holder.claim} of ${holder.owner} holds it`
    : 'it is merged, rolled back or given up';
  return new DroverError(
    'stale-claim',
    `Claim ${claim} of ${task} (${owner}) may not write any more: ${instead}.`,
    'Nothing was moved. What this claim did is kept, and the claim that holds the task goes on.',
  );
}

const isSame = (note: ClaimRequest, { claim, owner, goal }: ClaimRequest): boolean =>
  note.claim === claim && note.owner === owner && note.goal === goal;

type Note = Omit<Claim, 'fence' | 'generation' | 'merged'>;

const noteSchema: z.ZodType<Note> = z.strictObject({
  goal: z.string(),
  task: z.string(),
  claim: z.int().min(1),
  start: z.string(),
  owner: z.string(),
});

function writeNote({ store }: Repository, note: Note): Promise<string> {
  const { goal, task, claim, start, owner } = note;
  return store.write('blob', `${JSON.stringify({ goal, task, claim, start, owner })}\n`);
}

async function readNote({ store }: Repository, fence: string): Promise<Note> {
  const { content } = await store.get(fence);
  const parsed = noteSchema.safeParse(parseJson(content.toString()));
  if (parsed.success) return parsed.data;
  throw new DroverError(
    'bad-input',
    `The claim's note ${fence} is not one of Drover's.`,
    'Remove the reference below refs/drover/claims that names it.',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
