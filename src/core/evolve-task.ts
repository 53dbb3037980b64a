/**
 * The fold of one task's events; `evolve.ts` says what every rule here keeps.
 *
 * Invariants kept here: 7 (a task with a check is DONE only with its proof).
 */
import type { NewEvent } from './events.js';
import { forgetLanding } from './evolve-branch.js';
import { reach } from './gates.js';
import { type GoalView, HINDERED, isProven, type TaskView } from './goal.js';
import type { TaskState } from './task-state.js';

export function evolveTask(
  goal: GoalView,
  task: TaskView,
  entry: NewEvent,
  touched: Set<string>,
): void {
  const { event, time } = entry;
  // Nothing a queue or an agent still says changes what is done or cancelled: the log knows better than a
  // Redis that lost its last second.
  if (task.state === 'DONE' || task.state === 'CANCELLED' || goal.state === 'CANCELLED') return;
  // A failed task comes back only by a person: a retry of Drover's, or the button in Bull Board.
  const reopens =
    event.type === 'task.retried' || (event.type === 'task.queued' && event.from === 'failed');
  if (task.state === 'FAILED' && !reopens) return;
  // Whatever else happens to it says that it goes on, or has ended.
  if (task.held === HINDERED && event.type !== 'attempt.hindered') task.held = null;

  switch (event.type) {
    case 'task.queued':
      task.held = null;
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
      // Put aside until its goal goes on; no time ends that.
      task.retryAt = task.held === null ? event.until : null;
      return;
    case 'task.assigned':
      // A task that had failed when its goal was rebuilt, or was added later, gets a claim above the floor too.
      task.claims = Math.max(task.claims, goal.floor) + 1;
      task.assignedAt = time;
      task.activeAt = null;
      task.agent = null;
      task.held = null;
      task.retryAt = null;
      setState(goal, task, 'ASSIGNED');
      return;
    case 'task.active':
      task.agent = event.agent;
      task.activeAt = time;
      setState(goal, task, 'ACTIVE');
      return;
    case 'task.held':
      task.held = event.until ?? 'something';
      setState(goal, task, 'PENDING');
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
    case 'attempt.hindered':
      task.error = event.reason;
      task.held = HINDERED;
      return;
    case 'check.finished':
      // The project's checks are told as well, and prove nothing about the task's own.
      if (event.passed && event.command === task.spec.check?.run)
        task.provenClaim = entry.claim ?? task.claims;
      return;
    case 'task.merged':
      task.commit = event.commit;
      goal.merged = true;
      forgetLanding(goal);
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

export function setState(goal: GoalView, task: TaskView, state: TaskState): void {
  goal.counts[task.state] -= 1;
  goal.counts[state] += 1;
  task.state = state;
}

export function finish(
  goal: GoalView,
  task: TaskView,
  state: 'DONE' | 'FAILED' | 'CANCELLED',
  time: number,
): void {
  setState(goal, task, state);
  task.finishedAt = time;
  task.held = null;
  task.retryAt = null;
}

/** An agent announces a failed attempt and BullMQ confirms it; the claim tells that both mean the same one. */
function countFailure(task: TaskView, claim: number): void {
  if (task.failedClaim === claim) return;
  task.failedClaim = claim;
  task.failures += 1;
}

export function reopen(task: TaskView): void {
  task.failures = 0;
  task.error = null;
  task.finishedAt = null;
}

export function release(goal: GoalView, task: TaskView, time: number, touched: Set<string>): void {
  if (task.released) return;
  task.released = true;
  for (const id of goal.dependents.get(task.spec.id) ?? []) {
    const dependent = goal.tasks.get(id)!;
    dependent.openNeeds -= 1;
    if (dependent.openNeeds === 0 && dependent.state === 'BACKLOG') {
      setState(goal, dependent, 'PENDING');
      dependent.queuedAt = time;
    }
    reach(goal, dependent, time);
    touched.add(id);
  }
}
