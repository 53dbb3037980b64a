/** What a goal and its tasks are at a moment: the views that `evolve` folds the events into. */
import { z } from 'zod';
import type { Envelope, Event } from './events.js';
import { type GateKind, jobId } from './ids.js';
import type { Approval, Json, Priority, TaskSpec } from './plan.js';
import { type GoalState, TASK_STATES, type TaskState } from './task-state.js';

/** Something besides its needs that keeps a task from starting. */
export interface GateView {
  readonly kind: GateKind;
  /** The signal's name. */
  readonly name: string | null;
  open: boolean;
  /** Since when nothing but gates keeps the task, epoch milliseconds. */
  since: number | null;
  /** When it opens by itself, or is answered by its default, epoch milliseconds. */
  due: number | null;
  /** What opened it: a signal's data, or who approved it. */
  value: Json;
}

export const HINDERED = 'hindered';

export interface TaskView {
  readonly spec: TaskSpec;
  /** 0 for a task of the plan, 1 for those that were added first, and so on. */
  readonly batch: number;
  state: TaskState;
  /** Counts how often it was reopened, from 1. Jobs of earlier generations are no longer its own. */
  generation: number;
  /** Needs that are neither done nor given up, and gates that are not open. */
  openNeeds: number;
  gates: GateView[];
  /**
   * What its job is put aside for (hold.ts): a pause, or a limit that is used up. `HINDERED` where its attempt waits
   * for something to be put out of its way, which `error` names. Null where neither is so.
   */
  held: string | null;
  /** Changes to it since it was planned; its job carries them. */
  edits: number;
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
  /** The merge by which its work is in the goal's branch. */
  commit: string | null;
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
  /** Counts how often it was reopened after it was done, from 1. */
  generation: number;
  paused: boolean;
  /** The latest data of each signal that it got. */
  signals: Record<string, Json>;
  /** Asked of a person before any task of its plan starts. */
  readonly approve: Approval | null;
  /** True once Redis is known to have held it. */
  submitted: boolean;
  /** True once its jobs have left Redis. */
  evicted: boolean;
  /** Claims of this goal's tasks are above it. */
  floor: number;
  finishedAt: number | null;
  /** True once its branch has work of a task. */
  merged: boolean;
  /** True once it may land: by a person's approval, or where the project needs none. */
  approved: boolean;
  /** The commit of its branch that was pushed for a pull request. */
  pushed: string | null;
  /** The commit of the base branch that has all of it. */
  landed: string | null;
  /** Why it could not land. */
  landingTrouble: string | null;
  /** Where its branch is to go back to, as long as it has not. */
  rollback: string | null;
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
    generation: 1,
    paused: false,
    signals: {},
    approve: event.approve ?? null,
    submitted: false,
    evicted: false,
    floor: 0,
    finishedAt: null,
    merged: false,
    approved: false,
    pushed: null,
    landed: null,
    landingTrouble: null,
    rollback: null,
    tasks: new Map(),
    dependents: new Map(),
    counts: Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<TaskState, number>,
  };
}

/** The id of the task's job. */
export const jobOf = ({ spec, generation }: TaskView): string => jobId(spec.id, generation);

/** The id of the goal's own job. */
export const rootJobOf = ({ id, generation }: GoalView): string => jobId(id, generation);

/** True where nothing but gates keeps the task from starting. */
export const isReached = ({ openNeeds, gates }: TaskView): boolean =>
  openNeeds === gates.filter(({ open }) => !open).length;

/**
 * True where a person, or a deadline, ended it before it began. What was rejected with a note alone begins all the
 * same, and may fail for reasons of its own.
 */
export const isRefused = ({ state, assignedAt, gates }: TaskView): boolean =>
  state === 'FAILED' && assignedAt === null && gates.some((gate) => isDenied(gate));

/** Whether somebody, or a deadline, said no. */
export const isDenied = ({ open, value }: GateView): boolean =>
  open && answerOf(value)?.approved === false;

/** What somebody answered who was asked, where a gate's value says it. */
export function answerOf(value: Json): { approved: boolean; note: string | null } | undefined {
  return answerSchema.safeParse(value).data;
}

const answerSchema = z.object({ approved: z.boolean(), note: z.string().nullable() });

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
    const stuck = (task.state === 'FAILED' || task.state === 'CANCELLED') && !task.released;
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
