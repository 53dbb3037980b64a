/**
 * The fold: what a goal is, given its events. Deterministic and free of I/O, so that live projections, replay
 * and audit all compute the same (invariant 1: `fold(log)` equals the stored projections). Invariant 7 is decided
 * here too: a task with a check is DONE only with its proof.
 *
 * The fold changes its goal in place: a goal may have 10,000 tasks, and copying them for every event would
 * cost more than recording it. Entries of different queues' streams may arrive in either order within one
 * millisecond, so each rule depends only on the task's own order, and `openNeeds` only ever counts.
 */
import type { NewEvent } from './events.js';
import { evolveBranch } from './evolve-branch.js';
import { evolveControl } from './evolve-control.js';
import { evolveTask, setState } from './evolve-task.js';
import { gatesOf, reach } from './gates.js';
import { type GateView, type GoalView, isReached, type TaskView } from './goal.js';
import { dependentsOf } from './graph.js';
import type { TaskSpec } from './plan.js';
import { type GoalState, isFinal } from './task-state.js';

/**
 * Folds one event into its goal.
 * @returns the ids of the tasks that it changed.
 */
export function evolve(goal: GoalView, entry: NewEvent): ReadonlySet<string> {
  const touched = new Set<string>();
  // What a stream says of its tasks proves that it was submitted.
  if (entry.origin) goal.submitted = true;
  const task = entry.task === undefined ? undefined : goal.tasks.get(entry.task);
  if (evolveControl(goal, entry, touched)) {
    if (task) touched.add(task.spec.id);
  } else if (evolveBranch(goal, entry.event, touched)) {
    // All of it is the goal's.
  } else if (task) {
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
        task.held = null;
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
    const gates = gatesOf(goal, spec, batch);
    const task = newTask(spec, batch, openNeeds, gates, time);
    goal.tasks.set(spec.id, task);
    goal.counts[task.state] += 1;
    reach(goal, task, time);
    touched.add(spec.id);
  }
}

function newTask(
  spec: TaskSpec,
  batch: number,
  needs: number,
  gates: GateView[],
  time: number,
): TaskView {
  const openNeeds = needs + gates.filter(({ open }) => !open).length;
  return {
    // A copy: growth adds to a task's needs, and an event must never change.
    spec: { ...spec, needs: [...spec.needs] },
    batch,
    state: openNeeds === 0 ? 'PENDING' : 'BACKLOG',
    generation: 1,
    openNeeds,
    gates,
    held: null,
    edits: 0,
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
    commit: null,
  };
}

function stateOf({ state, counts, tasks }: GoalView): GoalState {
  if (state === 'CANCELLED') return state;
  if (tasks.size === 0) return state;
  if (counts.PENDING + counts.ASSIGNED + counts.ACTIVE + counts.REVIEW > 0) return 'OPEN';
  // A task leaves the backlog in the moment its last need is met, so whatever is still there is blocked, or waits
  // for a person, a signal or a time.
  if (counts.BACKLOG > 0) return hasReached(tasks) ? 'OPEN' : 'SETTLED';
  if (counts.FAILED === 0) return 'DONE';
  for (const task of tasks.values()) {
    if (task.state === 'FAILED' && !task.spec.optional) return 'SETTLED';
  }
  return 'DONE';
}

function hasReached(tasks: GoalView['tasks']): boolean {
  for (const task of tasks.values()) {
    if (task.gates.length > 0 && task.state === 'BACKLOG' && isReached(task)) return true;
  }
  return false;
}
