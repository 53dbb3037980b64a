/** What a task that could be claimed waits for nevertheless: a pause, a slot, agents, or its turn. Pure. */
import { type GoalView, jobOf, type TaskView } from '../core/goal.js';
import { holdOf, type PausedPlace } from '../core/hold.js';
import type { Limit } from '../core/limits.js';

export type Wait =
  /** `goal-7`, `project shop`, `capability developer`. */
  | { readonly kind: 'pause'; readonly of: string }
  /** Nobody offers the capability. */
  | { readonly kind: 'agents'; readonly of: string }
  /** `key db`, `project shop` or `capability developer`, how many it lets run at once, and which tasks do. */
  | {
      readonly kind: 'limit';
      readonly of: string;
      readonly limit: number;
      readonly by: readonly string[];
    }
  /** So many have begun in a time that the next may in so many milliseconds. */
  | { readonly kind: 'rate'; readonly of: string; readonly next: number }
  /** So many are handed out before it. */
  | { readonly kind: 'turn'; readonly ahead: number };

/** A task that a worker holds. */
export interface RunningTask {
  readonly id: string;
  readonly project: string;
  readonly capability: string;
  readonly concurrency: { readonly key: string; readonly limit: number } | undefined;
}

/** How a capability's queue stands in Redis. */
export interface QueueNow {
  readonly agents: number;
  /** The jobs that are handed out first, in their order. */
  readonly line: readonly string[];
  /** Milliseconds until its rate lets the next begin; 0 where it does now. */
  readonly nextIn: number;
}

/** What tasks of all goals share. */
export interface Around {
  readonly pauses: readonly PausedPlace[];
  readonly limits: readonly Limit[];
  readonly running: readonly RunningTask[];
  /** By capability; undefined where Redis cannot be asked. */
  readonly queues: ReadonlyMap<string, QueueNow> | undefined;
}

/** Undefined for a task that is not PENDING, that waits out a backoff, or of which nothing is known. */
export function waitOf(goal: GoalView, task: TaskView, around: Around): Wait | undefined {
  if (task.state !== 'PENDING') return undefined;
  const { capability } = task.spec;
  const hold = holdOf(goal, task, around.pauses);
  if (hold?.kind === 'pause') return { kind: 'pause', of: hold.of };
  if (task.retryAt !== null) return undefined;
  const queue = around.queues?.get(capability);
  if (queue?.agents === 0) return { kind: 'agents', of: capability };
  const full = fullFor(goal, task, around);
  if (full) return full;
  if (queue && queue.nextIn > 0) return { kind: 'rate', of: capability, next: queue.nextIn };
  const ahead = queue?.line.indexOf(jobOf(task)) ?? -1;
  return ahead > 0 ? { kind: 'turn', ahead } : undefined;
}

/** The limit that lets no more run, what the task is put aside for first. */
function fullFor(
  { project }: GoalView,
  { spec, held }: TaskView,
  { limits, running: all }: Around,
): Wait | undefined {
  // Read a moment later, in which it may have begun itself.
  const running = all.filter(({ id }) => id !== spec.id);
  const { concurrency, capability } = spec;
  const most = (scope: Limit['scope'], name: string): number | null =>
    limits.find((one) => one.scope === scope && one.name === name)?.concurrency ?? null;
  const found: { of: string; limit: number; by: string[] }[] = [];
  const count = (of: string, limit: number | null, users: readonly RunningTask[]): void => {
    if (limit !== null && users.length >= limit)
      found.push({ of, limit, by: users.map(({ id }) => id) });
  };
  if (concurrency) {
    const { key } = concurrency;
    const users = running.filter((one) => one.concurrency?.key === key);
    // Where plans say different limits for one key, the smallest counts.
    const said = users.map((one) => one.concurrency!.limit);
    count(`key ${key}`, Math.min(concurrency.limit, ...said), users);
  }
  count(
    `project ${project}`,
    most('project', project),
    running.filter((one) => one.project === project),
  );
  count(
    `capability ${capability}`,
    most('capability', capability),
    running.filter((one) => one.capability === capability),
  );
  const first = found.find(({ of }) => of === held?.replace(':', ' ')) ?? found[0];
  return first && { kind: 'limit', ...first };
}
