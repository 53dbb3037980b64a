/** What STATE.yaml says: the shape of its data, and how a goal is put into it. Pure. */
import { z } from 'zod';
import { gateText } from '../core/gates.js';
import { heldBy, holdText } from '../core/hold.js';
import { blockedBy, type GoalView, type TaskView } from '../core/goal.js';
import { GOAL_STATES, TASK_STATES, type TaskState } from '../core/task-state.js';
import { oneLine, shortResult } from './one-line.js';

const text = z.string();
const time = z.iso.datetime();

export const taskEntrySchema = z.strictObject({
  name: text,
  state: z.enum(TASK_STATES),
  needs: z.array(text).optional(),
  /** What it waits for besides its needs: an approval, a signal, a time. */
  'waits-for': text.optional(),
  /** Why it was put aside: a pause, or a limit that is used up. */
  held: text.optional(),
  /** The first ten of the failed or cancelled tasks because of which it cannot start. */
  'blocked-by': z.array(text).optional(),
  agent: text.optional(),
  /** Attempts begun since it was planned or last retried by a person. */
  attempts: z.int().min(1).optional(),
  /** When its backoff ends. */
  'retry-at': time.optional(),
  started: time.optional(),
  finished: time.optional(),
  result: text.optional(),
  error: text.optional(),
});
export type TaskEntry = z.infer<typeof taskEntrySchema>;

export const goalEntrySchema = z.strictObject({
  title: text,
  state: z.enum(GOAL_STATES),
  /** Left out where it is not. */
  paused: z.literal(true).optional(),
  created: time,
  finished: time.optional(),
  progress: text.optional(),
  /** Left out of goals that finished a while ago. */
  tasks: z.record(z.string().regex(/^task-[1-9]\d*$/), taskEntrySchema).optional(),
});
export type GoalEntry = z.infer<typeof goalEntrySchema>;

export const stateFileSchema = z.strictObject({
  version: z.literal(1),
  project: text,
  /** The last event in the log when the file was written. */
  seq: z.int().min(0),
  goals: z.record(z.string().regex(/^goal-[1-9]\d*$/), goalEntrySchema),
});
export type StateFile = z.infer<typeof stateFileSchema>;

const MAX_BLOCKERS = 10;

/**
 * A goal with its tasks, as STATE.yaml shows it.
 * @param before an earlier entry of the goal, and the tasks that have changed since: entries of the others are
 *   taken over. Of 10,000 tasks, that saves 30 ms here and 50 ms in `renderState` each time.
 */
export function describeGoal(
  goal: GoalView,
  before?: { readonly entry: GoalEntry; readonly changed: ReadonlySet<string> },
): GoalEntry {
  const blockers = blockedBy(goal);
  const tasks: Record<string, TaskEntry> = {};
  for (const task of goal.tasks.values()) {
    const { id } = task.spec;
    const known = before?.changed.has(id) ? undefined : before?.entry.tasks?.[id];
    // What blocks a task changes without an event of its own.
    const isSame = known && !known['blocked-by'] && !blockers.has(id);
    tasks[id] = isSame ? known : describeTask(task, blockers.get(id));
  }
  return {
    title: oneLine(goal.title),
    state: goal.state,
    ...(goal.paused && { paused: true }),
    created: isoTime(goal.createdAt),
    ...(goal.finishedAt !== null && { finished: isoTime(goal.finishedAt) }),
    ...(goal.tasks.size > 0 && {
      progress: progressOf(goal.counts, goal.tasks.size, blockers.size),
      tasks,
    }),
  };
}

/** The same goal on one line. */
export function summariseGoal({ tasks: _tasks, ...rest }: GoalEntry): GoalEntry {
  return { ...rest, title: oneLine(rest.title, 80) };
}

/** `7/10 done, 1 failed, 2 blocked` */
export function progressOf(
  counts: Readonly<Record<TaskState, number>>,
  total: number,
  blocked: number,
): string {
  const rest: readonly [number, string][] = [
    [counts.ASSIGNED + counts.ACTIVE, 'running'],
    [counts.REVIEW, 'in review'],
    [counts.FAILED, 'failed'],
    [blocked, 'blocked'],
    [counts.CANCELLED, 'cancelled'],
  ];
  const parts = rest.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return [`${counts.DONE}/${total} done`, ...parts].join(', ');
}

const BEGUN = new Set<TaskState>(['ASSIGNED', 'ACTIVE', 'REVIEW', 'DONE']);

export function describeTask(task: TaskView, blockers: readonly string[] = []): TaskEntry {
  const { spec, state, failures, agent, held, retryAt, finishedAt, error } = task;
  const gates = state === 'BACKLOG' ? task.gates.filter(({ open }) => !open) : [];
  const isBegun = BEGUN.has(state);
  const attempts = failures + (isBegun ? 1 : 0);
  const started = isBegun || state === 'FAILED' ? (task.activeAt ?? task.assignedAt) : null;
  const result = state === 'DONE' ? shortResult(task.result) : '';
  return {
    name: oneLine(spec.name),
    state,
    ...(spec.needs.length > 0 && { needs: [...spec.needs] }),
    ...(gates.length > 0 && {
      'waits-for': gates.map((gate) => gateText(gate, isoTime)).join(', '),
    }),
    ...(held !== null && state === 'PENDING' && { held: holdText(heldBy(held)) }),
    ...(blockers.length > 0 && { 'blocked-by': blockers.slice(0, MAX_BLOCKERS) }),
    ...(agent !== null && { agent: oneLine(agent) }),
    ...(attempts > 0 && { attempts }),
    ...(retryAt !== null && state === 'PENDING' && { 'retry-at': isoTime(retryAt) }),
    ...(started !== null && { started: isoTime(started) }),
    ...(finishedAt !== null && { finished: isoTime(finishedAt) }),
    ...(result !== '' && { result }),
    ...(error !== null && error !== '' && { error: oneLine(error) }),
  };
}

export const isoTime = (milliseconds: number): string => new Date(milliseconds).toISOString();
