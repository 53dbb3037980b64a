/**
 * The fold: what a goal is, given its events. Deterministic and free of I/O, so that live projections, replay
 * and audit all compute the same (invariant 1: `fold(log)` equals the stored projections). Invariant 7 is decided
 * here too: a task with a check is DONE only with its proof.
 *
 * The fold changes its goal in place: a goal may have 10,000 tasks, and copying them for every event would
 * cost more than recording it. Entries of different queues' streams may arrive in either order within one
 * millisecond, so each rule depends only on the task's own order, and `openNeeds` only ever counts.
 */
import type { Envelope, Event, NewEvent } from './events.js';
import { dependentsOf } from './graph.js';
import type { Json, Priority, TaskSpec } from './plan.js';
import { type GoalState, isFinal, TASK_STATES, type TaskState } from './task-state.js';

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

/**
 * Folds one event into its goal.
 * @returns the ids of the tasks that it changed.
 */
export function evolve(goal: GoalView, entry: NewEvent): ReadonlySet<string> {
  const touched = new Set<string>();
  // What a stream says of its tasks proves that it was submitted.
  if (entry.origin) goal.submitted = true;
  const task = entry.task === undefined ? undefined : goal.tasks.get(entry.task);
  if (task) {
    evolveTask(goal, task, entry, touched);
    touched.add(task.spec.id);
  } else {
    evolveGoal(goal, entry, touched);
  }
  const state = stateOf(goal);
  if (state !== goal.state) {
    goal.state = state;
    goal.finishedAt = state === 'OPEN' ? null : entry.time;
  }
  return touched;
}

function evolveGoal(goal: GoalView, { event, time }: NewEvent, touched: Set<string>): void {
  switch (event.type) {
    case 'goal.planned':
      addTasks(goal, event.tasks, time, touched);
      return;
    case 'plan.grown': {
      addTasks(goal, event.tasks, time, touched);
      const waiting = event.awaited && event.addedBy ? goal.tasks.get(event.addedBy) : undefined;
      if (waiting) {
        for (const { id } of event.tasks) {
          waiting.spec.needs.push(id);
          goal.dependents.get(id)!.push(waiting.spec.id);
        }
        waiting.openNeeds += event.tasks.length;
        touched.add(waiting.spec.id);
      }
      return;
    }
    case 'goal.evicted':
      goal.evicted = true;
      return;
    case 'goal.resubmitted':
      goal.submitted = true;
      goal.evicted = false;
      goal.floor = event.floor;
      for (const task of goal.tasks.values()) {
        if (isFinal(task.state)) continue;
        task.claims = Math.max(task.claims, event.floor);
        setState(goal, task, task.openNeeds === 0 ? 'PENDING' : 'BACKLOG');
        touched.add(task.spec.id);
      }
      return;
    case 'stream.gap':
      // What was lost may have been the proof; the worker's word stands then, and the audit says so.
      for (const task of goal.tasks.values()) {
        if (task.spec.capability !== event.queue || isFinal(task.state)) continue;
        task.provenClaim = task.claims;
        touched.add(task.spec.id);
      }
      return;
    case 'goal.cancelled':
      for (const task of goal.tasks.values()) {
        if (isFinal(task.state)) continue;
        setState(goal, task, 'CANCELLED');
        task.finishedAt = time;
        touched.add(task.spec.id);
      }
      goal.state = 'CANCELLED';
      goal.finishedAt = time;
      return;
    default:
      return;
  }
}

function evolveTask(goal: GoalView, task: TaskView, entry: NewEvent, touched: Set<string>): void {
  const { event, time } = entry;
  // Nothing a queue or an agent still says changes what is done or cancelled: the log knows better than a
  // Redis that lost its last second.
  if (task.state === 'DONE' || task.state === 'CANCELLED' || goal.state === 'CANCELLED') return;
  // A failed task comes back only by a person: a retry of Drover's, or the button in Bull Board.
  const reopens =
    event.type === 'task.retried' || (event.type === 'task.queued' && event.from === 'failed');
  if (task.state === 'FAILED' && !reopens) return;

  switch (event.type) {
    case 'task.queued':
      if (event.from === 'failed') reopen(task);
      setState(goal, task, 'PENDING');
      task.queuedAt = time;
      task.retryAt = null;
      return;
    case 'task.retried':
      reopen(task);
      setState(goal, task, 'PENDING');
      task.queuedAt = time;
      return;
    case 'task.retrying':
      countFailure(task, task.claims);
      setState(goal, task, 'PENDING');
      task.retryAt = event.until;
      return;
    case 'task.assigned':
      // A task that had failed when its goal was rebuilt, or was added later, gets a claim above the floor too.
      task.claims = Math.max(task.claims, goal.floor) + 1;
      task.assignedAt = time;
      task.activeAt = null;
      task.agent = null;
      task.retryAt = null;
      setState(goal, task, 'ASSIGNED');
      return;
    case 'task.active':
      task.agent = event.agent;
      task.activeAt = time;
      setState(goal, task, 'ACTIVE');
      return;
    case 'task.declined':
      task.declines += 1;
      // The delay that follows is no failed attempt.
      task.failedClaim = entry.claim ?? task.claims;
      return;
    case 'task.suspended':
      setState(goal, task, task.openNeeds === 0 ? 'PENDING' : 'BACKLOG');
      return;
    case 'task.progressed':
      task.progress = event.progress;
      return;
    case 'task.stalled':
      task.stalls += 1;
      return;
    case 'attempt.failed':
      countFailure(task, entry.claim ?? task.claims);
      task.error = event.error;
      return;
    case 'check.finished':
      if (event.passed) task.provenClaim = entry.claim ?? task.claims;
      return;
    case 'task.completed':
      if (!isProven(task)) {
        // Whatever the worker says: what was to be checked and was not is not done (invariant 7).
        countFailure(task, task.claims);
        task.error = `A worker completed it and its check \`${task.spec.check!.run}\` was not run.`;
        finish(goal, task, 'FAILED', time);
        return;
      }
      task.result = event.result;
      task.error = null;
      finish(goal, task, 'DONE', time);
      release(goal, task, time, touched);
      return;
    case 'task.failed':
      countFailure(task, task.claims);
      task.error = event.reason;
      finish(goal, task, 'FAILED', time);
      if (task.spec.optional) release(goal, task, time, touched);
      return;
    default:
      return;
  }
}

function addTasks(
  goal: GoalView,
  specs: readonly TaskSpec[],
  time: number,
  touched: Set<string>,
): void {
  const batch = 1 + Math.max(-1, ...new Set([...goal.tasks.values()].map((task) => task.batch)));
  for (const [id, dependents] of dependentsOf(specs)) goal.dependents.set(id, dependents);
  for (const spec of specs) {
    const openNeeds = [...new Set(spec.needs)].filter((need) => {
      const needed = goal.tasks.get(need);
      if (!needed || needed.batch === batch) return true;
      // A need on a task that was there before: `dependentsOf` saw only the new ones.
      goal.dependents.get(need)!.push(spec.id);
      return !needed.released;
    }).length;
    goal.tasks.set(spec.id, newTask(spec, batch, openNeeds, time));
    goal.counts[openNeeds === 0 ? 'PENDING' : 'BACKLOG'] += 1;
    touched.add(spec.id);
  }
}

function newTask(spec: TaskSpec, batch: number, openNeeds: number, time: number): TaskView {
  return {
    // A copy: growth adds to a task's needs, and an event must never change.
    spec: { ...spec, needs: [...spec.needs] },
    batch,
    state: openNeeds === 0 ? 'PENDING' : 'BACKLOG',
    openNeeds,
    released: false,
    claims: 0,
    failures: 0,
    declines: 0,
    stalls: 0,
    failedClaim: 0,
    provenClaim: 0,
    agent: null,
    queuedAt: openNeeds === 0 ? time : null,
    assignedAt: null,
    activeAt: null,
    finishedAt: null,
    retryAt: null,
    progress: null,
    result: null,
    error: null,
  };
}

function setState(goal: GoalView, task: TaskView, state: TaskState): void {
  goal.counts[task.state] -= 1;
  goal.counts[state] += 1;
  task.state = state;
}

function finish(goal: GoalView, task: TaskView, state: 'DONE' | 'FAILED', time: number): void {
  setState(goal, task, state);
  task.finishedAt = time;
  task.retryAt = null;
}

/** False for a task with a check that has not passed under the present claim. */
export const isProven = ({ spec, claims, provenClaim }: TaskView): boolean =>
  spec.check === undefined || provenClaim === claims;

/** An agent announces a failed attempt and BullMQ confirms it; the claim tells that both mean the same one. */
function countFailure(task: TaskView, claim: number): void {
  if (task.failedClaim === claim) return;
  task.failedClaim = claim;
  task.failures += 1;
}

function reopen(task: TaskView): void {
  task.failures = 0;
  task.error = null;
  task.finishedAt = null;
}

function release(goal: GoalView, task: TaskView, time: number, touched: Set<string>): void {
  if (task.released) return;
  task.released = true;
  for (const id of goal.dependents.get(task.spec.id) ?? []) {
    const dependent = goal.tasks.get(id)!;
    dependent.openNeeds -= 1;
    if (dependent.openNeeds === 0 && dependent.state === 'BACKLOG') {
      setState(goal, dependent, 'PENDING');
      dependent.queuedAt = time;
    }
    touched.add(id);
  }
}

function stateOf({ state, counts, tasks }: GoalView): GoalState {
  if (state === 'CANCELLED') return state;
  if (tasks.size === 0) return state;
  if (counts.PENDING + counts.ASSIGNED + counts.ACTIVE + counts.REVIEW > 0) return 'OPEN';
  // A task leaves the backlog in the moment its last need is met, so whatever is still there is blocked.
  if (counts.BACKLOG > 0) return 'SETTLED';
  if (counts.FAILED === 0) return 'DONE';
  for (const task of tasks.values()) {
    if (task.state === 'FAILED' && !task.spec.optional) return 'SETTLED';
  }
  return 'DONE';
}

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
