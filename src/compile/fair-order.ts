/**
 * Who goes first: turns plans into BullMQ's priorities, which are all that workers know of order.
 *
 * Above all stands a task's priority (`urgent` … `low`); each has a band of BullMQ's priorities of its own. Within
 * a band projects share a capability (lane.ts), and within a goal the task with the longest way to the end of the
 * plan goes first. Priorities are set when jobs are submitted, so that a claim costs nothing for them.
 *
 * This is about order alone, so nothing of it is in the log: what is lost here, by a supervisor that ends or a
 * Redis that was emptied, costs nobody a task.
 */
import { type GoalView, jobOf, type TaskView } from '../core/goal.js';
import { ranks } from '../core/graph.js';
import { PRIORITIES, type Priority, type TaskSpec } from '../core/plan.js';
import { isFinal } from '../core/task-state.js';
import { Lane, type Line, type Slot } from './lane.js';

/** A job that is to have another priority. */
export interface Move {
  readonly queue: string;
  readonly id: string;
  readonly priority: number;
}

/** BullMQ's priorities are 1 to 2 ** 21 - 1; each of ours has a quarter of them. */
const BAND = Math.floor((2 ** 21 - 1) / PRIORITIES.length);

interface Placed {
  readonly slots: Map<string, Slot>;
  readonly lines: Map<string, Line>;
}

export class FairOrder {
  private readonly lanes = new Map<string, Lane>();
  private readonly goals = new Map<string, Placed>();

  /**
   * Finds a place for each open task of a goal that has none yet.
   * @param present BullMQ's priorities of the tasks that Redis holds, by id; the others are about to be submitted
   * @returns BullMQ's priorities of the others
   */
  place(goal: GoalView, present: ReadonlyMap<string, number>): Map<string, number> {
    const placed: Placed = this.goals.get(goal.id) ?? { slots: new Map(), lines: new Map() };
    this.goals.set(goal.id, placed);
    const byLane = new Map<string, TaskView[]>();
    for (const task of inOrder(goal)) {
      const key = laneKey(task.spec);
      const tasks = byLane.get(key);
      if (tasks) tasks.push(task);
      else byLane.set(key, [task]);
    }
    const priorities = new Map<string, number>();
    for (const [key, tasks] of byLane) {
      const line = placed.lines.get(key) ?? this.open(key, goal.project, tasks[0]!.spec);
      placed.lines.set(key, line);
      const slots = tasks.map((task) => slotOf(task, placed, line, present.get(task.spec.id)));
      line.lane.enter(line, slots);
      for (const [index, { spec }] of tasks.entries()) {
        if (!present.has(spec.id)) priorities.set(spec.id, priorityOf(slots[index]!));
      }
    }
    return priorities;
  }

  /** Whether a goal's tasks have their places. */
  knows(goal: string): boolean {
    return this.goals.has(goal);
  }

  /** Notes that tasks began. @returns jobs that are to have another priority because of that */
  began(goal: string, tasks: readonly string[]): Move[] {
    const placed = this.goals.get(goal);
    if (!placed) return [];
    const moved = new Set<Slot>();
    for (const task of tasks) {
      const slot = placed.slots.get(task);
      if (slot) for (const each of slot.line.lane.began(slot)) moved.add(each);
    }
    return [...moved].map((slot) => ({
      queue: slot.line.lane.capability,
      id: slot.id,
      priority: priorityOf(slot),
    }));
  }

  /** Forgets a goal that has ended. */
  forget(goal: string): void {
    const placed = this.goals.get(goal);
    if (!placed) return;
    this.goals.delete(goal);
    for (const [key, line] of placed.lines) {
      if (!line.lane.close(line)) this.lanes.delete(key);
    }
  }

  private open(key: string, project: string, { capability, priority }: TaskSpec): Line {
    const lane = this.lanes.get(key) ?? new Lane(capability, PRIORITIES.indexOf(priority), BAND);
    this.lanes.set(key, lane);
    return lane.open(project);
  }
}

/** The slot that a task has or gets; one without a tag where it has to enter its lane. */
function slotOf(task: TaskView, placed: Placed, line: Line, priority: number | undefined): Slot {
  const { id } = task.spec;
  const known = placed.slots.get(id);
  // A task that Redis lost while its goal went on begins again: it enters anew, and so does one that changed lanes.
  if (known?.line === line && known.id === jobOf(task) && (priority !== undefined || known.waiting))
    return known;
  if (known) known.line.lane.leave(known);
  const tag = priority === undefined ? Number.NaN : tagOf(priority, line.lane);
  const slot: Slot = {
    id: jobOf(task),
    line,
    tag,
    waiting: priority === undefined || task.claims === 0,
  };
  placed.slots.set(id, slot);
  if (priority !== undefined && slot.waiting) line.lane.adopt(line);
  if (task.state === 'ASSIGNED' || task.state === 'ACTIVE') line.lane.reach(tag || 0);
  return slot;
}

/** Open tasks, that with the longest way to the end of the plan first; among equals in the order of the plan. */
function inOrder(goal: GoalView): TaskView[] {
  const tasks = [...goal.tasks.values()];
  const expected = tasks.flatMap(({ spec }) => (spec.expected === undefined ? [] : spec.expected));
  // A task that nothing is known about takes as long as the others of its plan; where nothing is known about any
  // of them, the number of tasks is the length of the way.
  const usual = expected.toSorted((a, b) => a - b)[expected.length >> 1] ?? 1;
  const rank = ranks(
    tasks.map(({ spec }) => spec),
    (spec) => Math.max(1, spec.expected ?? usual),
  );
  return tasks
    .filter(({ state }) => !isFinal(state))
    .toSorted((a, b) => rank.get(b.spec.id)! - rank.get(a.spec.id)!);
}

/** Whether a job has one of BullMQ's priorities that stand for a task's. */
export const isUrgentAs = (priority: Priority, bull: number): boolean =>
  Math.floor((bull - 1) / BAND) === PRIORITIES.indexOf(priority);

const laneKey = ({ capability, priority }: TaskSpec): string => `${capability}:${priority}`;

const priorityOf = ({ tag, line }: Slot): number =>
  1 + line.lane.band * BAND + Math.min(tag, BAND - 1);

const tagOf = (priority: number, { band }: Lane): number =>
  Math.min(Math.max(0, priority - 1 - band * BAND), BAND - 1);
