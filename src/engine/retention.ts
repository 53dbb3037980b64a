/**
 * Lets the jobs of finished goals leave Redis after a while; Bull Board shows the recent ones, the log keeps
 * the history.
 *
 * Invariants kept here: 8 (nothing of an unfinished goal is removed, and a removal is in the log).
 */
import type { GoalView } from '../core/goal.js';
import { topologicalOrder } from '../core/graph.js';
import { gateJobId, relayJobId } from '../core/ids.js';
import { finishedInRedis } from '../projections/goal-queries.js';
import type { JobRef, Jobs } from '../queues/jobs.js';
import type { RedisClient } from '../queues/connection.js';
import { announceCancel } from '../queues/notices.js';
import type { Recording } from './recording.js';

export interface RetentionPolicy {
  /** Milliseconds that a finished goal's jobs stay; default one hour. */
  readonly age: number;
  /** Tasks of finished goals that stay at most, the newest goals' first; default 5,000. */
  readonly tasks: number;
}

export interface RetentionParts {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly recording: Recording;
  readonly jobs: Jobs;
}

export const DEFAULT_RETENTION: RetentionPolicy = { age: 3_600_000, tasks: 5_000 };

/** Goals removed in one sweep at most, so that other work is not held up. */
const SWEEP = 50;

export class Retention {
  constructor(
    private readonly parts: RetentionParts,
    private readonly policy: RetentionPolicy,
  ) {}

  /** Removes what is over age or over number. */
  async sweep(now: number): Promise<void> {
    const { log, board } = this.parts.recording;
    let kept = 0;
    const due = finishedInRedis(log.db).filter(({ state, finishedAt, size }) => {
      // What a worker still held when its goal was cancelled goes as soon as it is let go.
      if (state === 'CANCELLED') return true;
      kept += size;
      return kept > this.policy.tasks || (finishedAt ?? now) < now - this.policy.age;
    });
    for (const { id } of due.slice(-SWEEP)) {
      await this.clear(board.goal(id)!);
    }
  }

  /** Removes a finished goal's jobs now, telling workers where it was cancelled; what a worker still holds is left for the next sweep. */
  async clear(goal: GoalView): Promise<void> {
    const { client, prefix, jobs } = this.parts;
    if (goal.state === 'CANCELLED') await announceCancel(client, prefix, goal.id);
    if (!(await removeJobs(jobs, goal))) return;
    const { project, id } = goal;
    await this.parts.recording.commit([
      { time: Date.now(), project, goal: id, event: { type: 'goal.evicted' } },
    ]);
  }
}

/**
 * Removes a goal's jobs and journals, dependents before their needs: removing a child would hand its parent
 * to a worker.
 * @returns false where a worker still holds one of them.
 */
async function removeJobs(jobs: Jobs, goal: GoalView): Promise<boolean> {
  if (goal.state === 'DONE') await jobs.removeTree({ queue: 'goals', id: goal.id });
  else await jobs.remove({ queue: 'goals', id: goal.id });
  const refs = jobsOf(goal);
  const exist = await jobs.exist(refs);
  let all = true;
  for (const [index, ref] of refs.entries()) {
    if (exist[index] && !(await jobs.remove(ref))) all = false;
  }
  await jobs.removeJournals([...goal.tasks.keys()]);
  return all;
}

/** Tasks with their relays and gates, dependents first. */
function jobsOf(goal: GoalView): JobRef[] {
  const order = topologicalOrder([...goal.tasks.values()].map(({ spec }) => spec)).toReversed();
  return order.flatMap((id) => {
    const { spec } = goal.tasks.get(id)!;
    return [
      { queue: 'relays', id: relayJobId(id) },
      { queue: spec.capability, id },
      ...spec.needs.map((need) => ({ queue: 'gates', id: gateJobId(id, need) })),
    ];
  });
}
