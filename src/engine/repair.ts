/**
 * Brings jobs in step with the log that fell back behind it, because Redis lost its last second.
 *
 * Invariants kept here: 1 (the log says what a task came to), 4 (what is done does not run again).
 */
import type { Event } from '../core/events.js';
import { type GoalView, jobOf, type TaskView } from '../core/goal.js';
import { topologicalOrder } from '../core/graph.js';
import { gateJobId, relayJobId } from '../core/ids.js';
import { isFinal } from '../core/task-state.js';
import type { Gates } from '../queues/gates.js';
import type { Jobs } from '../queues/jobs.js';
import type { Recording } from './recording/recording.js';
import { eventOf, refOf } from './task-refs.js';

interface RepairParts {
  readonly recording: Recording;
  readonly jobs: Jobs;
  readonly gates: Gates;
}

/** Where Redis lost its last second, jobs may have fallen back behind what the log knows. */
export async function repairFinished(parts: RepairParts, id: string): Promise<void> {
  const { recording, jobs } = parts;
  const goal = recording.board.goal(id);
  if (!goal) return;
  const order = topologicalOrder([...goal.tasks.values()].map(({ spec }) => spec));
  const tasks = order
    .map((task) => goal.tasks.get(task)!)
    .filter(({ claims, state }) => claims > 0 || isFinal(state));
  const states = await jobs.states(tasks.map(refOf));
  const undone = tasks.filter(
    ({ state }, index) =>
      state === 'DONE' && states[index] !== 'completed' && states[index] !== 'missing',
  );
  if (undone.length > 0) {
    const ids = undone.map((task) => task.spec.id);
    await recording.commit([eventOf(goal, { type: 'goal.repaired', tasks: ids })]);
  }
  const begun = tasks.filter(
    ({ state }, index) => state !== 'DONE' && state !== 'FAILED' && states[index] !== 'missing',
  );
  await jobs.raiseClaims(begun.map((task) => ({ ...refOf(task), claims: task.claims })));
  for (const [index, task] of tasks.entries()) {
    const state = states[index]!;
    if (state === 'missing') continue;
    if (task.state === 'DONE') {
      if (state === 'completed') continue;
      await releaseAgain(parts, goal, task);
      await jobs.complete(refOf(task), task.result);
    } else if (task.state === 'FAILED') {
      if (state === 'failed' || state === 'completed') continue;
      await releaseAgain(parts, goal, task);
      await jobs.fail(refOf(task), task.error ?? 'It had failed before Redis lost it.');
    } else if (task.state === 'PENDING' && state === 'failed') {
      const last = lastOf(recording, task);
      if (wasRetried(last)) await retryJob(jobs, task, isFromScratch(last));
    }
  }
}

/** Passes the results of a task's needs on to it, as relays do, which nobody waits for here. */
async function releaseAgain(
  { gates, jobs }: RepairParts,
  goal: GoalView,
  { spec }: TaskView,
): Promise<void> {
  for (const id of spec.needs) {
    const { result, released } = goal.tasks.get(id)!;
    // Where the need itself is open, a person had opened the gate.
    const dependents = released ? goal.dependents.get(id)! : [spec.id];
    await gates.open(
      dependents.map((dependent) => gateJobId(jobOf(goal.tasks.get(dependent)!), id)),
      result,
    );
    const relay = relayJobId(jobOf(goal.tasks.get(id)!));
    if (released) await jobs.complete({ queue: 'relays', id: relay }, result);
  }
}

const lastOf = ({ log }: Recording, { spec }: TaskView): Event | undefined =>
  [...log.events({ task: spec.id })].at(-1)?.event;

/** Moves a failed task's job back into its queue; false where it had not failed. */
export async function retryJob(jobs: Jobs, task: TaskView, fromScratch: boolean): Promise<boolean> {
  if (fromScratch) await jobs.removeJournals([jobOf(task)]);
  return jobs.retry(refOf(task), task.released);
}

/** True where a retry was recorded and its effect was lost; else the job's failure is not recorded yet. */
const wasRetried = (last: Event | undefined): boolean =>
  last?.type === 'task.retried' || (last?.type === 'task.queued' && last.from === 'failed');

const isFromScratch = (last: Event | undefined): boolean =>
  last?.type === 'task.retried' && last.fromScratch === true;
