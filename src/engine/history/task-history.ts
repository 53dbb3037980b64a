/** What became of a task, gathered while its goal's events are folded. Pure. */
import { type Event, type LoggedEvent, WORK_STEP } from '../../core/events.js';
import type { GoalView, TaskView } from '../../core/goal.js';
import type { Json } from '../../core/plan.js';
import type { TaskState } from '../../core/task-state.js';

/** A while in one state. Times are epoch milliseconds. */
export interface Stage {
  readonly state: TaskState;
  readonly since: number;
  /** Null where it has not ended. */
  until: number | null;
  /** Milliseconds; null where it has not ended. */
  duration: number | null;
}

export type CheckOutcome = Omit<Event & { type: 'check.finished' }, 'type'>;

/** One claim: what a worker did with the task while it held it. */
export interface ClaimHistory {
  readonly claim: number;
  /** Which attempt it was; null where the agent did not begin, or said nothing. */
  attempt: number | null;
  agent: string | null;
  readonly assignedAt: number;
  activeAt: number | null;
  endedAt: number | null;
  /** Milliseconds from its assignment to its end. */
  duration: number | null;
  end:
    | 'done'
    | 'failed'
    | 'declined'
    | 'stalled'
    | 'suspended'
    | 'cancelled'
    | 'put aside'
    | 'withdrawn'
    | null;
  /** Why it failed or was declined. */
  reason: string | null;
  readonly steps: { readonly step: string; readonly time: number; readonly result: Json }[];
  check: CheckOutcome | null;
}

export interface TaskHistory {
  readonly task: string;
  readonly name: string;
  readonly stages: readonly Stage[];
  readonly claims: readonly ClaimHistory[];
}

interface Growing extends TaskHistory {
  readonly stages: Stage[];
  readonly claims: ClaimHistory[];
}

const WAITING: ReadonlySet<TaskState> = new Set(['BACKLOG', 'PENDING']);

export class TaskHistories {
  private readonly tasks = new Map<string, Growing>();

  of(task: string): TaskHistory {
    return this.tasks.get(task)!;
  }

  /** @param touched the tasks that the event changed, as `evolve` returned them */
  follow(goal: GoalView, entry: LoggedEvent, touched: ReadonlySet<string>): void {
    for (const id of touched) {
      const task = goal.tasks.get(id)!;
      const history = this.tasks.get(id) ?? this.begin(task);
      followState(history, task.state, entry.time);
      if (task.state === 'CANCELLED') endClaim(history, entry.time, 'cancelled', null);
    }
    const history = entry.task === undefined ? undefined : this.tasks.get(entry.task);
    if (history) followClaim(history, goal.tasks.get(history.task)!, entry);
    for (const id of touched) {
      // Nobody works on it any more, though nothing was said of the claim itself: its task begins again, or goes back.
      if (!WAITING.has(goal.tasks.get(id)!.state)) continue;
      const end = entry.event.type === 'task.held' ? 'put aside' : 'withdrawn';
      endClaim(this.tasks.get(id)!, entry.time, end, null);
    }
  }

  private begin({ spec }: TaskView): Growing {
    const history: Growing = { task: spec.id, name: spec.name, stages: [], claims: [] };
    this.tasks.set(spec.id, history);
    return history;
  }
}

function followState({ stages }: Growing, state: TaskState, time: number): void {
  const last = stages.at(-1);
  if (last?.state === state) return;
  if (last) {
    last.until = time;
    last.duration = time - last.since;
  }
  stages.push({ state, since: time, until: null, duration: null });
}

function followClaim(history: Growing, task: TaskView, { event, time, claim }: LoggedEvent): void {
  // What a stale claim says belongs to that claim, though another one has begun since.
  const current = history.claims.findLast((one) => claim === undefined || one.claim === claim);
  switch (event.type) {
    case 'task.assigned':
      // After it was done or cancelled, the fold counts no claim either.
      if (history.claims.at(-1)?.claim === task.claims) return;
      history.claims.push(newClaim(task.claims, time));
      return;
    case 'task.active':
      if (!current) return;
      current.agent = event.agent;
      current.attempt = event.attempt;
      current.activeAt = time;
      return;
    case 'step.done':
      if (event.step === WORK_STEP) return;
      current?.steps.push({ step: event.step, time, result: event.result });
      return;
    case 'check.finished': {
      const { type: _type, ...outcome } = event;
      if (current) current.check = outcome;
      return;
    }
    case 'task.declined':
      if (current) current.agent = event.agent;
      endClaim(history, time, 'declined', event.reason);
      return;
    case 'attempt.failed':
      endClaim(history, time, 'failed', event.error);
      return;
    case 'task.failed':
      endClaim(history, time, 'failed', event.reason);
      return;
    case 'task.retrying':
      endClaim(history, time, 'failed', null);
      return;
    case 'task.stalled':
      endClaim(history, time, 'stalled', null);
      return;
    case 'task.suspended':
      endClaim(history, time, 'suspended', null);
      return;
    case 'task.completed':
      endClaim(history, time, 'done', null);
      return;
    default:
      return;
  }
}

const newClaim = (claim: number, time: number): ClaimHistory => ({
  claim,
  attempt: null,
  agent: null,
  assignedAt: time,
  activeAt: null,
  endedAt: null,
  duration: null,
  end: null,
  reason: null,
  steps: [],
  check: null,
});

/** An agent announces how a claim ended and BullMQ confirms it: the first word counts. */
function endClaim(
  { claims }: Growing,
  time: number,
  end: NonNullable<ClaimHistory['end']>,
  reason: string | null,
): void {
  const last = claims.at(-1);
  if (!last || last.end !== null) return;
  last.end = end;
  last.reason = reason;
  last.endedAt = time;
  last.duration = time - last.assignedAt;
}
