/**
 * Checks one goal's events against the rules that every history keeps, whatever was killed when. Pure.
 *
 * The rules come from the invariants: 4 (what is finished does not run again), 5 (a stale claim writes
 * nothing), 7 (DONE is proven).
 */
import { type LoggedEvent, isFinishedWork, WORK_STEP } from '../../core/events.js';
import { evolve } from '../../core/evolve.js';
import { createGoal, type GoalView, type TaskView } from '../../core/goal.js';
import type { TaskSpec } from '../../core/plan.js';
import type { GoalState, TaskState } from '../../core/task-state.js';
import { Contradictions } from './disagreement.js';

interface Witnessed {
  /** As planned; a task that waits for tasks it added began before them. */
  readonly needs: readonly string[];
  readonly capability: string;
  readonly checked: boolean;
  /** Claims that were recorded after it was cancelled or over, which the fold does not count. */
  uncounted: number;
  /** The first time that a worker took it. */
  firstAssigned: LoggedEvent | undefined;
  /** What let its dependents go on. */
  released: LoggedEvent | undefined;
  /** What made it DONE. */
  completed: (LoggedEvent & { event: { type: 'task.completed' } }) | undefined;
  /** Events with which a worker took it although it was done. */
  readonly takenAgain: number[];
  /** True while Redis is told again that it is done. */
  repaired: boolean;
  /** The claim whose check passed. */
  provenBy: number | undefined;
  readonly steps: Set<string>;
}

export interface GoalAudit extends Pick<Contradictions, 'found' | 'notes'> {
  /** The fold; undefined where the goal was never created. */
  readonly view: GoalView | undefined;
}

/** @param events all events of one goal, in their order */
export function auditHistory(goal: string, events: Iterable<LoggedEvent>): GoalAudit {
  const audit = new HistoryAudit(goal);
  for (const entry of events) audit.follow(entry);
  audit.end();
  return { view: audit.view, found: audit.report.found, notes: audit.report.notes };
}

class HistoryAudit {
  view: GoalView | undefined;
  readonly report: Contradictions;
  private readonly tasks = new Map<string, Witnessed>();
  /** Queues of which entries were lost before they were read. */
  private readonly gaps = new Set<string>();
  private announced: GoalState = 'OPEN';

  constructor(private readonly goal: string) {
    this.report = new Contradictions(goal);
  }

  follow(entry: LoggedEvent): void {
    const { event, seq } = entry;
    if (event.type === 'goal.created') {
      if (this.view) this.report.add(null, 'goal.created', seq, 'A goal is created once.');
      else this.view = createGoal({ ...entry, event });
    }
    const { view } = this;
    if (!view) {
      this.report.add(
        null,
        'goal.created',
        seq,
        `${event.type} stands before the goal was created.`,
      );
      return;
    }
    if (entry.project !== view.project) {
      this.report.add(
        null,
        'project',
        entry.project,
        `Event ${seq} is of another project than ${view.project}.`,
      );
    }
    const task = entry.task === undefined ? undefined : view.tasks.get(entry.task);
    const before = task && { state: task.state, claims: task.claims };
    evolve(view, entry);
    if (entry.task === undefined) this.followGoal(entry, view);
    else this.followTask(entry, entry.task, view, before);
  }

  end(): void {
    const { view, report, goal } = this;
    if (!view) {
      report.add(null, 'goal.created', null, `The log has no events that create ${goal}.`);
      return;
    }
    if (this.announced !== view.state) {
      report.add(
        null,
        'state',
        this.announced,
        `Its tasks make it ${view.state}, and the last event that says so says ${this.announced}.`,
      );
    }
    for (const [id, task] of this.tasks) {
      this.checkOrder(id, task);
      for (const seq of task.takenAgain) {
        report.add(id, 'task.assigned', seq, `A worker took it after it was DONE (event ${seq}).`);
      }
    }
  }

  private followGoal(entry: LoggedEvent, view: GoalView): void {
    const { event, seq } = entry;
    switch (event.type) {
      case 'goal.planned':
      case 'plan.grown':
        for (const spec of event.tasks) this.tasks.set(spec.id, newWitness(spec));
        return;
      case 'tasks.reopened':
        for (const id of event.tasks) {
          const { steps } = this.tasks.get(id)!;
          // What it merged is not what it is to do now.
          steps.delete(WORK_STEP);
          const again = newWitness(view.tasks.get(id)!.spec);
          this.tasks.set(id, event.keepSteps ? { ...again, steps } : again);
        }
        return;
      case 'tasks.inherited':
        for (const { task } of event.tasks) this.tasks.get(task)!.released = entry;
        return;
      case 'stream.gap':
        this.gaps.add(event.queue);
        return;
      case 'goal.repaired':
        for (const id of event.tasks) this.tasks.get(id)!.repaired = true;
        return;
      case 'goal.settled':
        this.announce('SETTLED', view, seq);
        return;
      case 'goal.completed':
        this.announce('DONE', view, seq);
        return;
      case 'goal.reopened':
        this.announce('OPEN', view, seq);
        return;
      case 'goal.cancelled':
        this.announce('CANCELLED', view, seq);
        return;
      default:
        return;
    }
  }

  private announce(state: GoalState, view: GoalView, seq: number): void {
    if (state === this.announced) {
      this.report.add(null, 'state', seq, `Event ${seq} says a second time that it is ${state}.`);
    } else if (view.state !== state) {
      this.report.add(
        null,
        'state',
        seq,
        `Event ${seq} says ${state} while its tasks make it ${view.state}.`,
      );
    }
    this.announced = state;
  }

  private followTask(
    entry: LoggedEvent,
    id: string,
    view: GoalView,
    before: { readonly state: TaskState; readonly claims: number } | undefined,
  ): void {
    const task = this.tasks.get(id);
    if (!task) {
      this.report.add(
        id,
        'task',
        entry.seq,
        `Event ${entry.seq} is of a task that the plan does not have.`,
      );
      return;
    }
    const { event, seq } = entry;
    const after = view.tasks.get(id)!;
    if (entry.claim !== undefined) this.checkClaim(after, task, entry.claim, entry);
    // Also where it was cancelled before that was recorded, and the fold takes no notice.
    if (after.released || event.type === 'task.completed') task.released ??= entry;
    switch (event.type) {
      case 'task.assigned':
        if (after.claims === before?.claims) task.uncounted += 1;
        if (before?.state === 'DONE') {
          task.takenAgain.push(seq);
        }
        task.firstAssigned ??= entry;
        return;
      case 'task.active':
        this.checkGates(after, seq);
        return;
      case 'task.retried':
        if (event.fromScratch) task.steps.clear();
        return;
      case 'step.done':
        if (event.step === WORK_STEP && !isFinishedWork(event.result)) {
          // A step left something of it, or it could not be merged and is to be done again.
          task.steps.delete(WORK_STEP);
          return;
        }
        if (task.steps.has(event.step)) {
          this.report.add(
            id,
            'step.done',
            event.step,
            `The step ‘${event.step}’ ran a second time (event ${seq}).`,
          );
        }
        task.steps.add(event.step);
        return;
      case 'check.finished':
        if (event.passed) task.provenBy = entry.claim;
        return;
      case 'task.completed':
        // A plain worker does not say that it has begun.
        if (after.activeAt === null) this.checkGates(after, seq);
        if (before?.state === 'DONE') this.checkRepeated(id, task, event, seq);
        else if (after.state === 'DONE') this.complete(after, task, { ...entry, event });
        return;
      default:
        return;
    }
  }

  /** Who opens a gate is recorded before it opens. */
  private checkGates({ spec, gates, state }: TaskView, seq: number): void {
    // What was given up ends behind its gates, and what a worker still says of it counts for nothing.
    if (state !== 'ACTIVE' && state !== 'DONE') return;
    for (const { kind, open } of gates) {
      if (open) continue;
      this.report.add(spec.id, kind, seq, `It began (event ${seq}) before its ${kind} let it.`);
    }
  }

  /** Invariant 5: only the latest claim writes. */
  private checkClaim(
    { spec: { id }, claims }: TaskView,
    task: Witnessed,
    claim: number,
    { seq, event }: LoggedEvent,
  ): void {
    const latest = claims + task.uncounted;
    const wrote = `Claim ${claim} wrote ${event.type} (event ${seq})`;
    if (claim < latest) {
      this.report.add(id, 'claim', claim, `${wrote} after claim ${latest} had begun.`);
    } else if (claim > latest && !this.gaps.has(task.capability)) {
      this.report.add(id, 'claim', claim, `${wrote}; the latest that was given out is ${latest}.`);
    }
  }

  /** The fold makes nothing DONE without proof (invariant 7), but where entries were lost it has to believe. */
  private complete(
    { spec: { id }, claims }: TaskView,
    task: Witnessed,
    entry: NonNullable<Witnessed['completed']>,
  ): void {
    task.completed = entry;
    if (!task.checked || task.provenBy === claims) return;
    this.report.notes.push(
      `${id} is DONE without a passed check: entries of its queue were lost before they were read.`,
    );
  }

  /** BullMQ is told again what the log knows where it has forgotten it; that is the same result once more. */
  private checkRepeated(
    id: string,
    task: Witnessed,
    event: { readonly result: unknown },
    seq: number,
  ): void {
    const same = JSON.stringify(event.result) === JSON.stringify(task.completed?.event.result);
    // A Redis that lost its last writes offered it again, until the supervisor completed it there.
    if (same && task.repaired) task.takenAgain.length = 0;
    task.repaired = false;
    if (same && task.takenAgain.length === 0) return;
    this.report.add(id, 'task.completed', seq, `It was completed a second time (event ${seq}).`);
  }

  /** A task starts after its needs. By time, because the streams of two queues are not ordered among each other. */
  private checkOrder(id: string, { needs, firstAssigned }: Witnessed): void {
    if (!firstAssigned) return;
    for (const need of needs) {
      const released = this.tasks.get(need)?.released;
      // What was adopted after a gap has the time at which it was found.
      if (released && (released.time <= firstAssigned.time || !released.origin)) continue;
      this.report.add(
        id,
        'needs',
        need,
        released
          ? `A worker took it ${released.time - firstAssigned.time} ms before ${need} was done.`
          : `A worker took it, and ${need} is not done.`,
      );
    }
  }
}

const newWitness = (spec: TaskSpec): Witnessed => ({
  needs: spec.needs,
  capability: spec.capability,
  checked: spec.check !== undefined,
  uncounted: 0,
  firstAssigned: undefined,
  released: undefined,
  completed: undefined,
  takenAgain: [],
  repaired: false,
  provenBy: undefined,
  steps: new Set(),
});
