/**
 * Makes Redis follow what people decided about goals that are under way: jobs that are withdrawn, gates that are
 * open, times that run, texts that were edited, what is paused. Each part compares what is recorded with what Redis
 * holds, so it is carried out after a request and again at every start.
 *
 * Invariants kept here: 2 (all of it follows from what is recorded, and may be repeated), 4 (a withdrawn job begins
 * no more, and what runs of it is aborted).
 */
import { compileOne } from '../compile/compile.js';
import { type FairOrder, isUrgentAs } from '../compile/fair-order.js';
import { type GoalView, isRefused, jobOf, type TaskView } from '../core/goal.js';
import { topologicalOrder } from '../core/graph.js';
import { gateJobId, heldJobId, jobId } from '../core/ids.js';
import { isFinal } from '../core/task-state.js';
import type { RedisClient } from '../queues/connection.js';
import type { Gates } from '../queues/gates.js';
import type { JobRef, Jobs, JobState } from '../queues/jobs.js';
import { announceAgain, announceWithdrawn } from '../queues/notices.js';
import type { Limits } from '../queues/limits.js';
import { setPaused, setPausedProjects } from '../queues/pauses.js';
import type { Queues } from '../queues/queues.js';
import type { Pause } from '../projections/pauses.js';
import type { Turns } from './turns.js';

export interface SteeringParts {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly queues: Queues;
  readonly jobs: Jobs;
  readonly gates: Gates;
  readonly order: FairOrder;
  readonly limits: Limits;
  readonly turns: Turns;
}

/** A job that is not to run any more. */
interface Withdrawn extends JobRef {
  readonly task: TaskView;
  /** Its dependents go on or are withdrawn as well; else they stay blocked behind it. */
  readonly passes: boolean;
}

export class Steering {
  /** Tasks with gates that are closed, and their goals. */
  private readonly dated = new Map<string, string>();

  constructor(private readonly parts: SteeringParts) {}

  /** Keeps workers from beginning what is withdrawn, and aborts what they run of it. */
  async announce(goal: GoalView): Promise<void> {
    const { client, prefix, jobs } = this.parts;
    const withdrawn = withdrawnOf(goal);
    if (withdrawn.length === 0) return;
    const states = await jobs.states(withdrawn);
    const ids = withdrawn.filter((_, index) => isUnfinished(states[index]!)).map(({ id }) => id);
    await announceWithdrawn(client, prefix, ids);
  }

  /**
   * Finishes what is withdrawn, dependents first, so that none of them is handed to a worker. To be called when the
   * jobs that take their place are there: the goal's own job waits for them then.
   */
  async settle(goal: GoalView): Promise<void> {
    const { jobs, gates } = this.parts;
    const withdrawn = withdrawnOf(goal);
    if (withdrawn.length === 0) return;
    const states = await jobs.states(withdrawn);
    for (const [index, one] of withdrawn.entries()) {
      const state = states[index]!;
      if (state === 'completed' || state === 'missing') continue;
      if (one.passes) await jobs.settle(one, null);
      else if (state !== 'failed') await jobs.giveUp(one, one.task.error ?? 'It was cancelled.');
      const { spec, gates: held } = one.task;
      const needs = spec.needs.map((need) => gateJobId(one.id, need));
      await gates.open([...needs, ...held.map(({ kind }) => heldJobId(one.id, kind))], null);
    }
  }

  /** Opens the gates that are recorded as open, and lets those times run that have begun. */
  async openGates(goal: GoalView): Promise<void> {
    for (const task of goal.tasks.values()) {
      if (task.gates.length === 0 || isFinal(task.state)) continue;
      if (task.gates.some(({ open }) => !open)) this.dated.set(task.spec.id, goal.id);
      await this.answer(task);
      await this.arm(task);
    }
  }

  /** False where none of these tasks has a gate that is closed. */
  mayBeReached(tasks: readonly string[]): boolean {
    return this.dated.size > 0 && tasks.some((id) => this.dated.has(id));
  }

  /** Lets the times of these tasks' gates run, and opens those once more that were answered and put back since. */
  async reached(goal: GoalView, tasks: readonly string[]): Promise<void> {
    for (const id of tasks) {
      const task = goal.tasks.get(id);
      if (!task || !this.dated.has(id)) continue;
      if (task.state === 'PENDING' || task.state === 'BACKLOG') await this.answer(task);
      await this.arm(task);
    }
  }

  forget(goal: string): void {
    for (const [task, of] of this.dated) if (of === goal) this.dated.delete(task);
  }

  /** Gives jobs the texts that their tasks were edited to; who began with the old one begins again. */
  async applyEdits(goal: GoalView, tasks: Iterable<TaskView>): Promise<void> {
    const { jobs, client, prefix } = this.parts;
    for (const task of tasks) {
      if (task.edits === 0 || isFinal(task.state)) continue;
      const { id, queue, name, options } = compileOne(goal, task);
      const [priority] = await jobs.priorities([{ queue, id }]);
      if (priority === undefined) continue;
      if (!isUrgentAs(task.spec.priority, priority)) await this.place(goal, task);
      const edit = { name, task: task.spec, options, edits: task.edits };
      if (await jobs.edit({ queue, id }, edit)) await announceAgain(client, prefix, id);
    }
  }

  /** Tells workers whether a goal is paused, and takes up what was put aside where it is not. */
  async followPause(goal: GoalView): Promise<void> {
    const { client, prefix, limits } = this.parts;
    await setPaused(client, prefix, goal.id, goal.paused);
    if (!goal.paused) await limits.sweep();
  }

  /** Tells workers which projects are paused, and takes up what was put aside of the others. */
  async followProjects(pauses: readonly Pause[]): Promise<void> {
    const { client, prefix, limits } = this.parts;
    const projects = pauses.filter(({ kind }) => kind === 'project').map(({ name }) => name);
    await setPausedProjects(client, prefix, projects);
    await limits.sweep();
  }

  async followCapability(capability: string, pauses: () => readonly Pause[]): Promise<void> {
    await this.parts.turns.take(turnOf(capability), () =>
      this.parts.queues.setPaused(capability, isPaused(pauses(), 'capability', capability)),
    );
  }

  /** Whether somebody else paused a capability, or let it go on: in Bull Board, or by BullMQ itself. */
  switchedByOthers(capability: string): Promise<boolean | undefined> {
    const { turns, queues } = this.parts;
    // Not while Drover does it.
    return turns.take(turnOf(capability), () => queues.switchedByOthers(capability));
  }

  /** Lets Redis follow the log about what is paused: it may have lost something, or not heard of it yet. */
  async followEngine(
    pauses: () => readonly Pause[],
    capabilities: Iterable<string>,
  ): Promise<void> {
    await this.followProjects(pauses());
    for (const capability of capabilities) await this.followCapability(capability, pauses);
  }

  /** Finds a place for a task whose priority has changed. */
  private async place(goal: GoalView, task: TaskView): Promise<void> {
    const { jobs, order } = this.parts;
    const open = [...goal.tasks.values()].filter((one) => one !== task && !isFinal(one.state));
    const found = await jobs.priorities(
      open.map((one) => ({ queue: one.spec.capability, id: jobOf(one) })),
    );
    const present = new Map(open.map(({ spec }, index) => [spec.id, found[index] ?? 1]));
    const priority = order.place(goal, present).get(task.spec.id)!;
    await jobs.reprioritise([{ queue: task.spec.capability, id: jobOf(task), priority }]);
  }

  private async answer(task: TaskView): Promise<void> {
    const job = jobOf(task);
    for (const { kind, open, value } of task.gates) {
      if (open) await this.parts.gates.open([heldJobId(job, kind)], value);
    }
  }

  private async arm(task: TaskView): Promise<void> {
    const job = jobOf(task);
    for (const { kind, open, due } of task.gates) {
      if (!open && due !== null) await this.parts.gates.arm(heldJobId(job, kind), due);
    }
  }
}

/** What is withdrawn of a goal, dependents first: jobs of earlier generations, and of cancelled tasks. */
function withdrawnOf(goal: GoalView): Withdrawn[] {
  const order = topologicalOrder([...goal.tasks.values()].map(({ spec }) => spec)).toReversed();
  return order.flatMap((id) => {
    const task = goal.tasks.get(id)!;
    const queue = task.spec.capability;
    const earlier = Array.from({ length: task.generation - 1 }, (_, index) => ({
      queue,
      id: jobId(id, index + 1),
      task,
      passes: true,
    }));
    if (task.state === 'CANCELLED') {
      return [...earlier, { queue, id: jobOf(task), task, passes: passesOn(goal, task) }];
    }
    // A person ended it before it began: no worker has failed its job.
    return isRefused(task)
      ? [...earlier, { queue, id: jobOf(task), task, passes: false }]
      : earlier;
  });
}

function passesOn(goal: GoalView, { spec, released }: TaskView): boolean {
  return (
    released ||
    goal.dependents.get(spec.id)!.every((id) => goal.tasks.get(id)!.state === 'CANCELLED')
  );
}

const turnOf = (capability: string): string => `capability ${capability}`;

const isUnfinished = (state: JobState): boolean =>
  state !== 'completed' && state !== 'failed' && state !== 'missing';

const isPaused = (pauses: readonly Pause[], kind: Pause['kind'], name: string): boolean =>
  pauses.some((pause) => pause.kind === kind && pause.name === name);
