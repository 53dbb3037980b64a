/** What a goal and its tasks are at a moment: the views that `evolve` folds the events into. */
import type { Envelope, Event } from './events.js';
import type { Json, Priority, TaskSpec } from './plan.js';
import { type GoalState, TASK_STATES, type TaskState } from './task-state.js';

export interface TaskView {
  readonly spec: TaskSpec;
  /** 0 for a task of the plan, 1 for those that were added first, and so on. */
  readonly batch: number;
  state: TaskState;
  /** Needs that are neither done nor given up by an optional task. */
  openNeeds: number;
  /** True once its dependents may go on; it stays true when the task is run again. */
  released: boolean;
  /** Number of the latest claim. */
  claims: number;
  /** Failed attempts since it was queued or last retried by a person. */
  failures: number;
  declines: number;
  stalls: number;
  /** The claim whose failure is counted already. */
  failedClaim: number;
  /** The latest claim under which its check has passed; 0 for none. */
  provenClaim: number;
  agent: string | null;
  queuedAt: number | null;
  assignedAt: number | null;
  activeAt: number | null;
  finishedAt: number | null;
  /** End of the backoff it waits out, epoch milliseconds. */
  retryAt: number | null;
  progress: Json;
  result: Json;
  error: string | null;
}

export interface GoalView {
  readonly id: string;
  readonly project: string;
  readonly title: string;
  readonly priority: Priority;
  readonly key: string | null;
  readonly source: string | null;
  readonly by: string | null;
  readonly createdAt: number;
  state: GoalState;
  /** True once Redis is known to have held it. */
  submitted: boolean;
  /** True once its jobs have left Redis. */
  evicted: boolean;
  /** Claims of this goal's tasks are above it. */
  floor: number;
  finishedAt: number | null;
  /** In the order of the plan. */
  readonly tasks: Map<string, TaskView>;
  readonly dependents: Map<string, string[]>;
  readonly counts: Record<TaskState, number>;
}

/** The goal that a `goal.created` event brings into being. */
export function createGoal(
  created: Envelope & { event: Event & { type: 'goal.created' } },
): GoalView {
  const { event } = created;
  return {
    id: created.goal,
    project: created.project,
    title: event.title,
    priority: event.priority,
    key: event.key ?? null,
    source: event.source ?? null,
    by: created.by ?? null,
    createdAt: created.time,
    state: 'OPEN',
    submitted: false,
    evicted: false,
    floor: 0,
    finishedAt: null,
    tasks: new Map(),
    dependents: new Map(),
    counts: Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<TaskState, number>,
  };
}

/** False for a task with a check that has not passed under the present claim. */
export const isProven = ({ spec, claims, provenClaim }: TaskView): boolean =>
  spec.check === undefined || provenClaim === claims;

/**
 * For each task that is blocked, the failed or cancelled ancestors that block it.
 * One walk over the goal, so it is computed where it is shown and never stored.
 */
export function blockedBy(goal: GoalView): Map<string, string[]> {
  const blockers = new Map<string, Set<string>>();
  for (const [id, task] of goal.tasks) {
    const stuck = (task.state === 'FAILED' && !task.released) || task.state === 'CANCELLED';
    if (!stuck) continue;
    const queue = [id];
    for (let index = 0; index < queue.length; index += 1) {
      for (const dependent of goal.dependents.get(queue[index]!) ?? []) {
        if (goal.tasks.get(dependent)?.state !== 'BACKLOG') continue;
        const known = blockers.get(dependent) ?? new Set();
        if (known.has(id)) continue;
        blockers.set(dependent, known.add(id));
        queue.push(dependent);
      }
    }
  }
  return new Map([...blockers].map(([id, ids]) => [id, [...ids]]));
}
