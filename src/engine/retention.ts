/**
 * Lets the jobs of finished goals leave Redis after a while; Bull Board shows the recent ones, the log keeps
 * the history.
 *
 * Invariants kept here: 8 (nothing of an unfinished goal is removed, and a removal is in the log).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../core/errors.js';
import type { NewEvent } from '../core/events.js';
import { topologicalOrder } from '../core/graph.js';
import { gateJobId, heldJobId, jobId, relayJobId } from '../core/ids.js';
import { finishedInRedis } from '../projections/goal-queries.js';
import type { GoalJobs } from '../projections/goal-reader.js';
import type { JobRef, Jobs } from '../queues/jobs.js';
import type { RedisClient } from '../queues/connection.js';
import { announceCancel } from '../queues/notices.js';
import { LONGEST_WAIT, LOOK, watchBusy } from './lull.js';
import type { Recording } from './recording/recording.js';
import type { Turns } from './turns.js';

export interface RetentionPolicy {
  /** Milliseconds that a finished goal's jobs stay; default one hour. */
  readonly age: number;
  /** Tasks of finished goals that stay at most, the newest goals' first; default 5,000. */
  readonly tasks: number;
}

/** @internal */
export interface RetentionParts {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly recording: Recording;
  readonly jobs: Jobs;
  readonly turns: Turns;
  readonly onError: (error: Error) => void;
}

export const DEFAULT_RETENTION: RetentionPolicy = { age: 3_600_000, tasks: 5_000 };

/**
 * Jobs removed at a time. A goal of so many tasks is removed by one script: that walks the tree recursively,
 * and a chain of 5,000 overflows its stack.
 */
const AT_ONCE = 1_000;

/** Milliseconds that one sweep may take; with one a second, removing keeps up with what a machine finishes. */
const SWEEP = 400;
/** Goals that are removed side by side. */
const BATCH = 20;

/** @internal */
export class Retention {
  /** When nothing was left to remove; epoch milliseconds. */
  private clean = 0;

  constructor(
    private readonly parts: RetentionParts,
    private readonly policy: RetentionPolicy,
  ) {}

  /**
   * Removes what is over age or over number, unless others have use for the processor and it can wait.
   * @param now epoch milliseconds
   */
  async sweep(now: number): Promise<void> {
    if (now - this.clean < LONGEST_WAIT && (await isBusy())) return;
    const { log, board } = this.parts.recording;
    let kept = 0;
    const due = finishedInRedis(log.db).filter(({ state, finishedAt, size }) => {
      // What a worker still held when its goal was cancelled goes as soon as it is let go.
      if (state === 'CANCELLED') return true;
      kept += size;
      return kept > this.policy.tasks || (finishedAt ?? now) < now - this.policy.age;
    });
    const began = performance.now();
    const oldest = due.toReversed();
    for (let start = 0; start < oldest.length; start += BATCH) {
      if (performance.now() - began > SWEEP) return;
      const goals = oldest.slice(start, start + BATCH).map(({ id }) => board.jobsOf(id)!);
      await this.evict(goals);
    }
    this.clean = now;
  }

  /**
   * Removes a finished goal's jobs now, telling workers where it was cancelled; what a worker still holds is
   * left for the next sweep.
   */
  async clear(goal: GoalJobs): Promise<void> {
    await this.evict([goal]);
  }

  /** One commit for all of them: the disk is waited for once. */
  private async evict(goals: readonly GoalJobs[]): Promise<void> {
    const { recording, turns, onError } = this.parts;
    const outcomes = await Promise.allSettled(
      goals.map((goal) => turns.take(goal.id, () => this.remove(goal))),
    );
    const events: NewEvent[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      const { id, project } = goals[index]!;
      if (outcome.status === 'rejected') {
        // One goal that cannot be cleared keeps no other in Redis.
        onError(new Error(`The jobs of ${id} could not be removed: ${messageOf(outcome.reason)}`));
      } else if (outcome.value) {
        events.push({ time: Date.now(), project, goal: id, event: { type: 'goal.evicted' } });
      }
    }
    if (events.length > 0) await recording.commit(events);
  }

  /** False where something of the goal is left, or has to be. */
  private async remove(goal: GoalJobs): Promise<boolean> {
    const { client, prefix, jobs, recording } = this.parts;
    // A retry may have come first.
    if (recording.board.state(goal.id) !== goal.state) return false;
    if (goal.state === 'CANCELLED') await announceCancel(client, prefix, goal.id);
    return removeJobs(jobs, goal);
  }
}

/** Then what is finished stays a while: removing it takes Redis as long as a third of running it did. */
async function isBusy(): Promise<boolean> {
  const wasBusy = watchBusy();
  await delay(LOOK);
  return wasBusy();
}

/**
 * Removes a goal's jobs and journals, dependents before their needs: removing a child would hand its parent
 * to a worker.
 * @returns false where a worker still holds one of them.
 */
async function removeJobs(jobs: Jobs, goal: GoalJobs): Promise<boolean> {
  const roots = generations(goal).map((id) => ({ queue: 'goals', id }));
  if (goal.state === 'DONE' && goal.tasks.size <= AT_ONCE) {
    for (const root of roots) await jobs.removeTree(root);
  }
  const refs = [...roots, ...jobsOf(goal)];
  // Most often the trees were all there was.
  const all = !(await jobs.existsAny(refs)) || (await removeEach(jobs, refs));
  const tasks = [...goal.tasks.values()];
  await jobs.removeJournals(
    tasks.flatMap(({ spec, generation }) => generations({ id: spec.id, generation })),
  );
  return all;
}

/** Removes those of the jobs that are there; false where a worker holds one of them. */
async function removeEach(jobs: Jobs, refs: readonly JobRef[]): Promise<boolean> {
  const exist = await jobs.exist(refs);
  const present = refs.filter((_, index) => exist[index]);
  let all = true;
  for (let start = 0; start < present.length; start += AT_ONCE) {
    // Redis carries them out in the order in which they are sent.
    const removed = await Promise.all(
      present.slice(start, start + AT_ONCE).map((ref) => jobs.remove(ref)),
    );
    all &&= !removed.includes(false);
  }
  return all;
}

/** Tasks with their relays and gates, dependents first. */
function jobsOf(goal: GoalJobs): JobRef[] {
  const order = topologicalOrder([...goal.tasks.values()].map(({ spec }) => spec)).toReversed();
  return order.flatMap((id) => {
    const { spec, generation, gates } = goal.tasks.get(id)!;
    return generations({ id, generation }).flatMap((job) => [
      { queue: 'relays', id: relayJobId(job) },
      { queue: spec.capability, id: job },
      ...spec.needs.map((need) => ({ queue: 'gates', id: gateJobId(job, need) })),
      ...gates.map(({ kind }) => ({ queue: 'gates', id: heldJobId(job, kind) })),
    ]);
  });
}

/** Its jobs of all generations, the latest first. */
const generations = ({ id, generation }: { id: string; generation: number }): string[] =>
  Array.from({ length: generation }, (_, index) => jobId(id, generation - index));
