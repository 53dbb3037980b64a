/**
 * The fold of what people decide about goals and tasks that are under way; `evolve.ts` says what every rule here
 * keeps. Gates count among a task's open needs, so that one number says whether it can start.
 */
import type { NewEvent } from './events.js';
import { finish, release, reopen, setState } from './evolve-task.js';
import { gatesOf, reach } from './gates.js';
import {
  answerOf,
  type GateView,
  type GoalView,
  isDenied,
  isRefused,
  type TaskView,
} from './goal.js';
import type { GateKind } from './ids.js';
import type { Json } from './plan.js';
import { isFinal } from './task-state.js';

/**
 * Folds an event that a person caused.
 * @returns false where it is none
 */
export function evolveControl(goal: GoalView, entry: NewEvent, touched: Set<string>): boolean {
  const { event, time, by } = entry;
  const task = entry.task === undefined ? undefined : goal.tasks.get(entry.task);
  switch (event.type) {
    case 'tasks.reopened':
      reopenTasks(goal, entry, event.tasks, touched);
      if (event.changes) edit(goal.tasks.get(event.tasks[0]!)!, event.changes);
      return true;
    case 'tasks.inherited':
      for (const { task: id, result } of event.tasks) {
        const taken = goal.tasks.get(id)!;
        taken.result = result;
        finish(goal, taken, 'DONE', time);
        release(goal, taken, time, touched);
        touched.add(id);
      }
      return true;
    case 'tasks.cancelled':
      for (const id of event.tasks) {
        const given = goal.tasks.get(id)!;
        if (given.state === 'DONE' || given.state === 'CANCELLED') continue;
        finish(goal, given, 'CANCELLED', time);
        touched.add(id);
      }
      return true;
    case 'task.skipped':
      if (!task || task.state === 'DONE') return true;
      finish(goal, task, 'CANCELLED', time);
      release(goal, task, time, touched);
      return true;
    case 'task.edited':
      if (task) edit(task, event.changes);
      return true;
    case 'task.approved':
    case 'task.rejected': {
      if (!task) return true;
      const rejected = event.type === 'task.rejected';
      answer(goal, task, 'approval', { approved: !rejected, note: event.note ?? null, by }, time);
      if (rejected && event.end) end(goal, task, rejection(by, event.note), time);
      return true;
    }
    case 'goal.approved':
    case 'goal.rejected': {
      const rejected = event.type === 'goal.rejected';
      for (const one of goal.tasks.values()) {
        if (!one.gates.some((gate) => gate.kind === 'plan' && !gate.open)) continue;
        answer(goal, one, 'plan', { approved: !rejected, note: event.note ?? null, by }, time);
        if (rejected && event.end) end(goal, one, rejection(by, event.note), time);
        touched.add(one.spec.id);
      }
      return true;
    }
    case 'goal.signalled':
      goal.signals = { ...goal.signals, [event.name]: event.data };
      for (const one of goal.tasks.values()) {
        if (!one.gates.some((gate) => gate.name === event.name && !gate.open)) continue;
        open(goal, one, 'signal', event.data, time);
        touched.add(one.spec.id);
      }
      return true;
    case 'gate.opened':
      if (task) open(goal, task, event.gate, null, time);
      return true;
    case 'goal.paused':
      goal.paused = true;
      return true;
    case 'goal.resumed':
      goal.paused = false;
      return true;
    default:
      return false;
  }
}

function reopenTasks(
  goal: GoalView,
  { time }: NewEvent,
  ids: readonly string[],
  touched: Set<string>,
): void {
  // The goal's own job has completed with its tasks.
  if (goal.state === 'DONE') goal.generation += 1;
  if (goal.evicted) {
    goal.evicted = false;
    goal.submitted = false;
  }
  const tasks = ids.map((id) => goal.tasks.get(id)!);
  for (const task of tasks) {
    if (task.released) {
      for (const id of goal.dependents.get(task.spec.id)!) {
        goal.tasks.get(id)!.openNeeds += 1;
        touched.add(id);
      }
    }
    task.released = false;
    task.generation += 1;
    task.openNeeds -= task.gates.filter((gate) => !gate.open).length;
    task.gates = gatesAgain(goal, task);
    task.openNeeds += task.gates.filter((gate) => !gate.open).length;
    reopen(task);
    Object.assign(task, {
      held: null,
      agent: null,
      assignedAt: null,
      activeAt: null,
      retryAt: null,
      progress: null,
      result: null,
      declines: 0,
    });
    touched.add(task.spec.id);
  }
  for (const task of tasks) {
    setState(goal, task, task.openNeeds === 0 ? 'PENDING' : 'BACKLOG');
    task.queuedAt = task.openNeeds === 0 ? time : null;
    reach(goal, task, time);
  }
}

/** A plan is approved once; what is asked of a task, or was refused, is asked again, and the answer is kept in mind. */
function gatesAgain(goal: GoalView, task: TaskView): GateView[] {
  const refused = isRefused(task);
  return gatesOf(goal, task.spec, task.batch).map((gate) => {
    const before = task.gates.find(({ kind }) => kind === gate.kind);
    if (before && gate.kind === 'plan' && before.open && !isDenied(before)) return before;
    return before && refused && answerOf(before.value) ? { ...gate, value: before.value } : gate;
  });
}

/** A person answers. A later answer to the same question changes nothing. */
function answer(
  goal: GoalView,
  task: TaskView,
  kind: GateKind,
  { approved, note, by }: { approved: boolean; note: string | null; by: string | undefined },
  time: number,
): void {
  // Who refused it before said why; who lets it begin now without a word does not take that back.
  const earlier = task.gates.find((gate) => gate.kind === kind)?.value ?? null;
  const told = note ?? answerOf(earlier)?.note ?? null;
  open(goal, task, kind, { approved, note: told, by: by ?? null }, time);
}

function open(goal: GoalView, task: TaskView, kind: GateKind, value: Json, time: number): void {
  const gate = task.gates.find((one) => one.kind === kind && !one.open);
  if (!gate) return;
  gate.open = true;
  gate.value = value;
  task.openNeeds -= 1;
  if (task.openNeeds > 0 || task.state !== 'BACKLOG') return;
  setState(goal, task, 'PENDING');
  task.queuedAt = time;
}

function end(goal: GoalView, task: TaskView, error: string, time: number): void {
  if (isFinal(task.state)) return;
  task.error = error;
  finish(goal, task, 'FAILED', time);
}

const rejection = (by: string | undefined, note: string | undefined): string =>
  `Rejected by ${by ?? 'nobody in time'}${note === undefined ? '.' : `: ${note}`}`;

function edit(task: TaskView, changes: Readonly<Record<string, unknown>>): void {
  Object.assign(task.spec, changes);
  task.edits += 1;
}
