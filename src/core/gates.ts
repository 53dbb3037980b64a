/** What keeps a task from starting besides its needs: a person's approval, a signal, a time. Pure. */
import { type GateView, type GoalView, isReached, type TaskView } from './goal.js';
import type { GateKind } from './ids.js';
import type { Approval, TaskSpec } from './plan.js';

/** The gates of a task that begins; a signal that has come already holds nobody. */
export function gatesOf(
  { approve, signals }: Pick<GoalView, 'approve' | 'signals'>,
  spec: TaskSpec,
  batch: number,
): GateView[] {
  const gates: GateView[] = [];
  // Approving the plan is approving that its first tasks start.
  if (approve && batch === 0 && spec.needs.length === 0) gates.push(closed('plan'));
  if (spec.approve) gates.push(closed('approval'));
  const { wait } = spec;
  if (wait && 'signal' in wait) {
    const came = Object.hasOwn(signals, wait.signal);
    const value = came ? signals[wait.signal]! : null;
    gates.push({ ...closed('signal', wait.signal), open: came, value });
  } else if (wait) {
    gates.push(closed('timer'));
  }
  return gates;
}

/** Notes when nothing but gates is left to keep the task: from then on their times run. */
export function reach(goal: Pick<GoalView, 'approve'>, task: TaskView, time: number): void {
  if (task.gates.length === 0 || !isReached(task)) return;
  for (const gate of task.gates) {
    if (gate.open || gate.since !== null) continue;
    gate.since = time;
    gate.due = dueOf(goal, task.spec, gate.kind, time);
  }
}

/** What a deadline answers. */
export function defaultOf(
  { approve }: Pick<GoalView, 'approve'>,
  spec: TaskSpec,
  kind: GateKind,
): 'approve' | 'deny' {
  const asked = kind === 'plan' ? approve : spec.approve;
  return typeof asked === 'object' && asked !== null ? asked.default : 'deny';
}

/** What a task waits for besides its needs: `approval`, `signal deployed`, `until …`. @param at puts a time in words */
export function gateText(
  { kind, name, due }: Pick<GateView, 'kind' | 'name' | 'due'>,
  at: (time: number) => string,
): string {
  if (kind === 'plan') return 'approval of the plan';
  if (kind === 'signal') return `signal ${name}`;
  if (kind === 'timer') return due === null ? 'its time' : `until ${at(due)}`;
  return due === null ? 'approval' : `approval until ${at(due)}`;
}

function dueOf(
  { approve }: Pick<GoalView, 'approve'>,
  spec: TaskSpec,
  kind: GateKind,
  reached: number,
): number | null {
  if (kind === 'plan') return deadlineOf(approve ?? undefined, reached);
  if (kind === 'approval') return deadlineOf(spec.approve, reached);
  if (kind !== 'timer' || !spec.wait) return null;
  if ('until' in spec.wait) return Date.parse(spec.wait.until);
  return 'for' in spec.wait ? reached + spec.wait.for : null;
}

function deadlineOf(approval: Approval | undefined, reached: number): number | null {
  if (typeof approval !== 'object' || approval.deadline === undefined) return null;
  return reached + approval.deadline;
}

const closed = (kind: GateKind, name: string | null = null): GateView => ({
  kind,
  name,
  open: false,
  since: null,
  due: null,
  value: null,
});
