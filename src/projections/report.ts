/** A goal in words and numbers, as the interface agent reports it. Pure. */
import { blockedBy, type GateView, type GoalView, HINDERED, type TaskView } from '../core/goal.js';
import { type Hold, holdOf, type PausedPlace } from '../core/hold.js';
import type { Json } from '../core/plan.js';
import type { GoalState, TaskState } from '../core/task-state.js';
import { type Around, type Wait, waitOf } from './waits.js';

/** A gate that is not open; `since` and `due` are null until nothing but gates keeps the task. */
export type GateReport = Pick<GateView, 'kind' | 'name' | 'since' | 'due'>;

export interface TaskReport {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly capability: string;
  readonly state: TaskState;
  readonly needs: readonly string[];
  /** Those of its needs that keep it from starting. */
  readonly waitsFor: readonly string[];
  /** What else it waits for, in the backlog: an approval, a signal, a time. */
  readonly gates: readonly GateReport[];
  /** What keeps it from being begun although it is PENDING; null where nothing is known to. */
  readonly heldBy: Hold | null;
  /**
   * What it waits for although it is PENDING: a pause, agents that nobody runs, a slot, a rate, its turn; null where
   * nothing is known. Left out where only its goal was looked at, as `drover run --json` does.
   */
  readonly waits?: Wait | null;
  /** Failed or cancelled ancestors because of which it cannot start. */
  readonly blockedBy: readonly string[];
  /** The agent that has it or had it; null while it waits for one. */
  readonly agent: string | null;
  /** Number of its latest claim: each time that an agent takes it up counts. */
  readonly claims: number;
  /** Attempts begun since it was planned or last retried by a person. */
  readonly attempts: number;
  /** How often agents gave it back without using an attempt. */
  readonly declines: number;
  /** Epoch milliseconds, as all that follow: since when it is in its queue; null until it is there. */
  readonly queuedAt: number | null;
  readonly assignedAt: number | null;
  readonly activeAt: number | null;
  readonly finishedAt: number | null;
  /** When its backoff ends. */
  readonly retryAt: number | null;
  /** What its agent said last with `task.progress`. */
  readonly progress: Json;
  /** What is in the way of its files at the moment. */
  readonly hindered: string | null;
  /**
   * What its agent returned; null until it is done. Above 64 KiB of JSON it lies in a file, and this is `{ $result, bytes }`: its
   * SHA-256 and its size; the goal handle's `result(id)` reads it. Tasks that need it are given it as it was.
   */
  readonly result: Json;
  /** Why its last attempt failed, or it was given up; null once it is done. */
  readonly error: string | null;
}

export interface BranchReport {
  /** The commit of the base branch that has all of it. */
  readonly landed: string | null;
  /** The commit of it that was pushed for a pull request. */
  readonly pushed: string | null;
  /** Why it could not land. */
  readonly trouble: string | null;
}

export interface GoalReport {
  readonly goal: string;
  readonly title: string;
  readonly project: string;
  readonly state: GoalState;
  /** True while the goal itself is paused. */
  readonly paused: boolean;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  /** Epoch milliseconds; null while its state is `OPEN`. */
  readonly finishedAt: number | null;
  /** Tasks in each state. */
  readonly counts: Readonly<Record<TaskState, number>>;
  /** All of its tasks. */
  readonly total: number;
  /** Tasks that cannot start because of a failed or cancelled one. */
  readonly blocked: number;
  /** What became of its branch; null where none of its tasks worked on files. */
  readonly branch: BranchReport | null;
  /** One line for people: `Done! 10/10 tasks complete`. */
  readonly text: string;
  readonly tasks: readonly TaskReport[];
}

/**
 * @param pauses projects and capabilities that are paused, where they are known
 * @param around what tells what its tasks wait for besides
 */
export function reportOf(
  goal: GoalView,
  pauses?: readonly PausedPlace[],
  around?: Around,
): GoalReport {
  const blockers = blockedBy(goal);
  return {
    goal: goal.id,
    title: goal.title,
    project: goal.project,
    state: goal.state,
    paused: goal.paused,
    createdAt: goal.createdAt,
    finishedAt: goal.finishedAt,
    counts: { ...goal.counts },
    total: goal.tasks.size,
    blocked: blockers.size,
    branch: goal.merged
      ? { landed: goal.landed, pushed: goal.pushed, trouble: goal.landingTrouble }
      : null,
    text: summaryOf(goal, blockers.size),
    tasks: [...goal.tasks.values()].map((task) => ({
      ...taskReport(goal, task, blockers.get(task.spec.id) ?? [], pauses),
      ...(around && { waits: waitOf(goal, task, around) ?? null }),
    })),
  };
}

/** `Done! 7/10 tasks complete, 3 blocked`, and the like. */
export function summaryOf(
  {
    state,
    paused,
    counts,
    tasks,
  }: Pick<GoalView, 'state' | 'paused' | 'counts'> & { readonly tasks: { size: number } },
  blocked: number,
): string {
  const { DONE, FAILED, CANCELLED, PENDING, ASSIGNED, ACTIVE, REVIEW } = counts;
  const parts = [`${DONE}/${tasks.size} tasks complete`];
  const running = ASSIGNED + ACTIVE;
  const rest: [number, string][] = [
    [running, 'running'],
    [PENDING, 'pending'],
    [REVIEW, 'in review'],
    [FAILED, 'failed'],
    [blocked, 'blocked'],
    [CANCELLED, 'cancelled'],
  ];
  for (const [count, word] of rest) if (count > 0) parts.push(`${count} ${word}`);
  const opening = paused && state === 'OPEN' ? 'Paused:' : OPENINGS[state];
  return `${opening} ${parts.join(', ')}`;
}

const OPENINGS: Record<GoalState, string> = {
  OPEN: 'Working:',
  SETTLED: 'Stuck:',
  DONE: 'Done!',
  CANCELLED: 'Cancelled:',
};

function taskReport(
  goal: GoalView,
  task: TaskView,
  blockers: readonly string[],
  pauses: readonly PausedPlace[] | undefined,
): TaskReport {
  const { spec, state, failures } = task;
  const begun =
    state === 'ASSIGNED' || state === 'ACTIVE' || state === 'DONE' || state === 'REVIEW';
  return {
    id: spec.id,
    name: spec.name,
    title: spec.title ?? spec.name,
    capability: spec.capability,
    state,
    needs: spec.needs,
    waitsFor:
      state === 'BACKLOG' ? spec.needs.filter((need) => !goal.tasks.get(need)!.released) : [],
    gates:
      state === 'BACKLOG'
        ? task.gates
            .filter(({ open }) => !open)
            .map(({ kind, name, since, due }) => ({ kind, name, since, due }))
        : [],
    heldBy: holdOf(goal, task, pauses),
    blockedBy: blockers,
    agent: task.agent,
    claims: task.claims,
    attempts: failures + (begun ? 1 : 0),
    declines: task.declines,
    queuedAt: task.queuedAt,
    assignedAt: task.assignedAt,
    activeAt: task.activeAt,
    finishedAt: task.finishedAt,
    retryAt: task.retryAt,
    progress: task.progress,
    hindered: task.held === HINDERED ? task.error : null,
    result: task.result,
    error: task.error,
  };
}
