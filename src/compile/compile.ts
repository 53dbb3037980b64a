/**
 * Turns tasks into job trees (docs/adr/0003-graph-to-trees.md). A BullMQ job has one parent, a task may have several dependents:
 * relays and gates bridge the two. The same function compiles a whole plan, what is left of one after Redis
 * lost it, and tasks that were added to a running goal.
 *
 * Invariants kept here: 2 (deterministic ids), 4 (every task is one job; nothing of it is submitted twice).
 */
import { topologicalOrder } from '../core/graph.js';
import {
  answerOf,
  type GateView,
  type GoalView,
  jobOf,
  rootJobOf,
  type TaskView,
} from '../core/goal.js';
import { gateJobId, heldJobId, relayJobId } from '../core/ids.js';
import { isFinal } from '../core/task-state.js';
import type { TaskData } from '../queues/task-data.js';
import type { JobTree } from '../queues/flows.js';
import type { JobOptions } from '../queues/job-options.js';
import { HELD_OPTIONS, NEVER } from '../queues/gate-options.js';

/**
 * @param goal the goal as the log knows it
 * @param missing ids of the tasks that Redis does not hold; every other task that is not final is there
 * @param priorities BullMQ's, of the missing tasks by id
 * @param withRoot true where Redis lacks the goal's own job as well
 * @returns trees to submit together; roots other than the goal's name the job they are attached to
 */
export function compile(
  goal: GoalView,
  missing: ReadonlySet<string>,
  priorities: ReadonlyMap<string, number>,
  withRoot: boolean,
): JobTree[] {
  const included = [...goal.tasks.values()].filter((task) => missing.has(task.spec.id));
  const nodes = included.map((task) => ({ id: task.spec.id, needs: task.spec.needs }));
  const jobs = new Map<string, JobTree>(
    included.map((task) => {
      const job = taskJob(goal, task, priorities.get(task.spec.id)!);
      const isFirst = !task.spec.needs.some((need) => missing.has(need));
      return [task.spec.id, isFirst ? { ...job, isFirst } : job];
    }),
  );
  const root = withRoot ? goalJob(goal) : undefined;
  const trees: JobTree[] = root ? [root] : [];

  // Needs first, so that a task's children are complete before it becomes a child itself.
  for (const id of topologicalOrder(nodes)) {
    const task = goal.tasks.get(id)!;
    const job = jobs.get(id)!;
    for (const need of new Set(task.spec.needs)) {
      // A need that runs already knows nothing of this dependent: the supervisor opens the gate when it is done.
      if (!missing.has(need) && !goal.tasks.get(need)!.released) {
        job.children.push(gate(task, need, job.options));
      }
    }
    for (const held of task.gates) {
      if (!held.open) job.children.push(heldGate(goal, task, held, job.options));
    }
    // A dependent that is in Redis already becomes the parent, if there is one: it is the task that added this.
    const [first, ...others] = (goal.dependents.get(id) ?? [])
      .filter((dependent) => !isFinal(goal.tasks.get(dependent)!.state))
      .toSorted((a, b) => Number(jobs.has(a)) - Number(jobs.has(b)));
    let top = job;
    if (others.length > 0) {
      top = relay(
        job,
        others.map((other) => gateJobId(jobOf(goal.tasks.get(other)!), id)),
      );
      for (const other of others) {
        const held = gate(goal.tasks.get(other)!, id, jobs.get(other)?.options ?? job.options);
        attach(held, other, jobs, root, goal, trees);
      }
    }
    attach(top, first, jobs, root, goal, trees);
  }
  return trees;
}

/** One task's job as it would be submitted now, but for its priority. */
export const compileOne = (goal: GoalView, task: TaskView): JobTree => taskJob(goal, task, 1);

function attach(
  top: JobTree,
  dependent: string | undefined,
  jobs: ReadonlyMap<string, JobTree>,
  root: JobTree | undefined,
  goal: GoalView,
  trees: JobTree[],
): void {
  const parent = dependent === undefined ? root : jobs.get(dependent);
  if (parent) {
    parent.children.push(top);
    return;
  }
  const waiting = dependent === undefined ? undefined : goal.tasks.get(dependent)!;
  trees.push({
    ...top,
    parent: waiting
      ? { queue: waiting.spec.capability, id: jobOf(waiting) }
      : { queue: 'goals', id: rootJobOf(goal) },
  });
}

function goalJob(goal: GoalView): JobTree {
  return {
    queue: 'goals',
    id: rootJobOf(goal),
    name: goal.title,
    data: { goal: goal.id, title: goal.title, project: goal.project },
    options: { priority: 1, attempts: 1 },
    children: [],
  };
}

function taskJob(goal: GoalView, task: TaskView, priority: number): JobTree {
  const { spec, claims, gates } = task;
  const note = noteOf(task);
  const needs = spec.needs.map((id) => goal.tasks.get(id)!);
  const data: TaskData = {
    goal: goal.id,
    title: goal.title,
    project: goal.project,
    task: spec,
    // What the task added and waits for is no need that its author wrote; `addTasks` hands it out.
    names: Object.fromEntries(
      needs
        .filter((need) => need.batch <= task.batch)
        .map((need) => [need.spec.id, need.spec.name]),
    ),
    results: Object.fromEntries(
      needs.filter((need) => need.released).map((need) => [need.spec.id, need.result]),
    ),
    // A job that somebody removed had claims already: the new one's go on above them (invariant 5).
    floor: Math.max(goal.floor, claims),
    ...(note !== undefined && { note }),
    signals: Object.fromEntries(
      gates.flatMap(({ kind, name, open, value }) =>
        kind === 'signal' && open ? [[name!, value] as const] : [],
      ),
    ),
  };
  const closed = gates.filter(({ open }) => !open).map(({ kind }) => kind);
  if (closed.length > 0) data.gates = closed;
  const { attempts, backoff } = spec.retry;
  return {
    queue: spec.capability,
    id: jobOf(task),
    name: spec.title ?? spec.name,
    data,
    options: {
      priority,
      attempts,
      backoff: { type: backoff.type, delay: backoff.delay, jitter: backoff.jitter },
      ...(spec.optional && { ignoreDependencyOnFailure: true }),
    },
    children: [],
  };
}

/** What a person wrote who approved or rejected it. */
function noteOf({ gates }: TaskView): string | undefined {
  const notes = gates.flatMap(({ value }) => answerOf(value)?.note ?? []);
  return notes.at(-1);
}

function relay(task: JobTree, gates: string[]): JobTree {
  return {
    queue: 'relays',
    id: relayJobId(task.id),
    name: relayJobId(task.id),
    data: { gates },
    options: {
      priority: task.options.priority,
      attempts: 1_000,
      backoff: { type: 'fixed', delay: 1_000, jitter: 0 },
    },
    children: [task],
  };
}

/** A gate that a person, a signal or a timer opens. */
function heldGate(
  goal: GoalView,
  task: TaskView,
  { kind, name, due }: GateView,
  { priority }: JobOptions,
): JobTree {
  const id = heldJobId(jobOf(task), kind);
  return {
    queue: 'gates',
    id,
    name: id,
    data: { goal: goal.id, task: task.spec.id, gate: kind, ...(name !== null && { name }) },
    options: {
      priority,
      ...HELD_OPTIONS,
      ...(due !== null && { delay: Math.max(1, due - Date.now()) }),
    },
    children: [],
    // By its time, or a person's hand.
    isFirst: true,
  };
}

function gate(dependent: TaskView, need: string, { priority }: JobOptions): JobTree {
  const id = gateJobId(jobOf(dependent), need);
  return {
    queue: 'gates',
    id,
    name: id,
    data: { dependent: dependent.spec.id, need },
    options: { priority, delay: NEVER },
    children: [],
  };
}
