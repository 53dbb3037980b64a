/**
 * Compares the log with BullMQ's own job states. Redis moves on before the recorder has read why, so a
 * disagreement counts only if it stays the same while everything written before it is recorded.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type GoalView,
  isProven,
  isRefused,
  jobOf,
  rootJobOf,
  type TaskView,
} from '../../core/goal.js';
import { gateJobId, relayJobId } from '../../core/ids.js';
import { isFinal, type GoalState, type TaskState } from '../../core/task-state.js';
import type { Log } from '../../log/log.js';
import { loadGoal } from '../../projections/board.js';
import type { RedisClient } from '../../queues/connection.js';
import { streamEnds } from '../../queues/inventory.js';
import { Jobs, type JobRef, type JobState } from '../../queues/jobs.js';
import { Queues } from '../../queues/queues.js';
import { compareEntries } from '../../queues/streams.js';
import type { Disagreement } from './disagreement.js';
import { refOf } from '../task-refs.js';

export interface JobsAudit {
  readonly found: readonly Disagreement[];
  readonly notes: readonly string[];
  readonly jobs: number;
}

export interface JobsAuditParts {
  readonly log: Log;
  readonly client: RedisClient;
  readonly prefix: string;
  /** Whether a supervisor runs: without one, nobody passes on what agents finish. */
  readonly running: boolean;
  /** Milliseconds that a disagreement is given to pass. */
  readonly patience: number;
}

/** Milliseconds between two looks. */
const PAUSE = 50;

/** Where a task's job may be. */
const JOBS_OF_TASK: Record<TaskState, readonly JobState[]> = {
  BACKLOG: ['waiting-children'],
  PENDING: ['waiting', 'prioritized', 'delayed'],
  ASSIGNED: ['active'],
  ACTIVE: ['active'],
  REVIEW: ['completed'],
  DONE: ['completed'],
  FAILED: ['failed'],
  // A worker may still be letting go of it; whatever comes of that changes nothing any more.
  CANCELLED: ['missing', 'failed', 'completed', 'active'],
};

/** Where the goal's own job may be; once its children are done it passes the engine's queue. */
const JOBS_OF_GOAL: Record<GoalState, readonly JobState[]> = {
  OPEN: ['waiting-children'],
  SETTLED: ['waiting-children'],
  DONE: ['completed', 'active', 'waiting', 'prioritized'],
  CANCELLED: ['missing', 'failed', 'completed', 'active'],
};

interface Mismatch {
  readonly goal: string;
  readonly task: string | null;
  readonly says: string;
  readonly job: JobState;
  readonly queue: string;
  /** Where the streams of the goal's queues ended after the job was looked at. */
  readonly ends: ReadonlyMap<string, string>;
}

/** @param goals ids of goals whose jobs have not left Redis */
export async function auditJobs(
  parts: JobsAuditParts,
  goals: readonly string[],
): Promise<JobsAudit> {
  const { client, prefix, patience, log } = parts;
  const queues = new Queues(client, prefix);
  try {
    const audit = new Look(parts, new Jobs(client, prefix, queues));
    const until = Date.now() + patience;
    let left = await audit.mismatches(goals);
    while (left.size > 0 && Date.now() < until) {
      await delay(PAUSE);
      const again = await audit.mismatches(new Set([...left.values()].map(({ goal }) => goal)));
      left = new Map([...left].filter(([key]) => again.has(key)));
    }
    const cursors = log.cursors();
    const found: Disagreement[] = [];
    for (const mismatch of left.values()) {
      const unread = [...mismatch.ends].find(
        ([queue, end]) => compareEntries(cursors.get(queue) ?? '0-0', end) < 0,
      );
      if (!unread) found.push(explain(mismatch));
      else {
        const who = mismatch.task ?? mismatch.goal;
        audit.notes.add(
          `Entries of the queue ‘${unread[0]}’ are not recorded yet; ${who} cannot be judged.`,
        );
      }
    }
    return { found, notes: [...audit.notes], jobs: audit.looked };
  } finally {
    await queues.close();
  }
}

class Look {
  readonly notes = new Set<string>();
  /** Jobs looked at the first time. */
  looked = 0;
  private readonly counted = new Set<string>();

  constructor(
    private readonly parts: JobsAuditParts,
    private readonly jobs: Jobs,
  ) {}

  /** What does not agree at the moment, by what exactly does not. */
  async mismatches(goals: Iterable<string>): Promise<Map<string, Mismatch>> {
    const { client, prefix, log } = this.parts;
    const found = new Map<string, Mismatch>();
    for (const id of goals) {
      const goal = loadGoal(log.db, id);
      if (!goal || goal.evicted) continue;
      const differing = await this.ofGoal(goal);
      if (differing.length === 0) continue;
      const capabilities = new Set([...goal.tasks.values()].map(({ spec }) => spec.capability));
      const ends = await streamEnds(client, prefix, capabilities);
      for (const one of differing) {
        found.set(JSON.stringify([one.goal, one.task, one.says, one.job]), { ...one, ends });
      }
    }
    return found;
  }

  private async ofGoal(goal: GoalView): Promise<Omit<Mismatch, 'ends'>[]> {
    const tasks = [...goal.tasks.values()];
    const root: JobRef = { queue: 'goals', id: rootJobOf(goal) };
    const [rootState, ...states] = await this.statesOf([root, ...tasks.map(refOf)]);
    if (!this.counted.has(goal.id)) this.looked += 1 + states.length;
    this.counted.add(goal.id);
    const isOver = goal.state === 'DONE' || goal.state === 'CANCELLED';
    const isAbsent = [rootState!, ...states].every((state) => state === 'missing');
    if (isAbsent && !isOver && !goal.submitted) {
      this.notes.add(
        `${goal.id} is recorded and not submitted yet; the supervisor does that when it starts.`,
      );
      return [];
    }
    if (isAbsent && isOver) {
      // An import on another Redis, or a Redis that lost everything: nothing of a finished goal is rebuilt.
      if (goal.state === 'DONE')
        this.notes.add(`${goal.id} is DONE, and Redis holds none of its jobs any more.`);
      return [];
    }
    const found: Omit<Mismatch, 'ends'>[] = [];
    if (!JOBS_OF_GOAL[goal.state].includes(rootState!) && !endedEarly(goal, rootState!)) {
      found.push({ goal: goal.id, task: null, says: goal.state, job: rootState!, queue: 'goals' });
    }
    for (const [index, task] of tasks.entries()) {
      const job = states[index]!;
      if (agrees(goal, task, job) || (await this.isOnItsWay(goal, task, job))) continue;
      const { id, capability } = task.spec;
      found.push({ goal: goal.id, task: id, says: task.state, job, queue: capability });
    }
    return found;
  }

  /** BullMQ looks where a job's id stands; a job whose id is left without its data is lost as well. */
  private async statesOf(refs: readonly JobRef[]): Promise<JobState[]> {
    const states = await this.jobs.states(refs);
    const exist = await this.jobs.exist(refs);
    return states.map((state, index) => (exist[index] ? state : 'missing'));
  }

  /** Its needs are done, and the relay that tells it waits for a supervisor. */
  private async isOnItsWay(goal: GoalView, task: TaskView, job: JobState): Promise<boolean> {
    const { spec, state } = task;
    if (this.parts.running || state !== 'PENDING' || job !== 'waiting-children') return false;
    const refs = spec.needs.flatMap((need) => [
      { queue: 'relays', id: relayJobId(jobOf(goal.tasks.get(need)!)) },
      { queue: 'gates', id: gateJobId(jobOf(task), need) },
    ]);
    const states = await this.jobs.states(refs);
    const waits = states.some((one) => one !== 'missing' && one !== 'completed');
    if (waits)
      this.notes.add(
        `${spec.id} of ${goal.id} waits for a supervisor to pass on what its needs came to.`,
      );
    return waits;
  }
}

function agrees(goal: GoalView, task: TaskView, job: JobState): boolean {
  if (JOBS_OF_TASK[task.state].includes(job)) return true;
  // BullMQ believes a worker that did not run the task's check; Drover does not.
  if (task.state === 'FAILED' && job === 'completed' && !isProven(task)) return true;
  // Whatever was refused before its job was submitted gets none.
  if (job === 'missing' && isRefused(task)) return true;
  // What ran in another goal, or before its goal was done once, has no job of its own here.
  const elsewhere = goal.generation > 1 || (task.state === 'DONE' && task.claims === 0);
  if (job === 'missing' && elsewhere && isFinal(task.state)) return true;
  // A goal that was rebuilt has jobs only for what was left to do, and so have added tasks that Redis lost.
  return job === 'missing' && (goal.floor > 0 || task.batch > 0) && isFinal(task.state);
}

/**
 * The goal's own job waits for the tasks that had no dependents when it was submitted. Where tasks were ended before
 * they began, or have begun again since, it may be over earlier than the goal, or wait for what is no longer awaited.
 */
function endedEarly(goal: GoalView, root: JobState): boolean {
  if (root === 'missing') return false;
  if (goal.counts.CANCELLED > 0) return true;
  for (const task of goal.tasks.values()) {
    if (task.generation > 1 || isRefused(task)) return true;
  }
  return false;
}

function explain({ goal, task, says, job, queue }: Mismatch): Disagreement {
  const place = job === 'missing' ? 'Redis holds no job of it' : `its job in ‘${queue}’ is ${job}`;
  return {
    witnesses: ['log', 'redis'],
    goal,
    task,
    field: 'job',
    values: { log: says, redis: job },
    explanation: `The log says ${says}, and ${place}; nothing is left unread that could explain it.`,
  };
}
