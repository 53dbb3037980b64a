/** One look at a schedule: which of its goals begin, wait, are skipped, or make room. */
import { DroverError } from '../../core/errors.js';
import type { Event, NewEvent } from '../../core/events.js';
import { scheduleSubject, type ScheduleView } from '../../core/schedule.js';
import { enqueueRule } from './enqueue.js';
import { because, eventOn, type Situation } from './rule.js';

/** Firings that wait at most; a schedule that is slower than its times would collect them for ever. */
const QUEUED = 100;

export class Firing {
  readonly events: NewEvent[] = [];
  readonly created: string[] = [];
  readonly cancelled: string[] = [];
  /** The goal that began last, while it is open. */
  running: string | null;
  private readonly queued: (number | null)[];
  private readonly next: { goal: number; task: number };

  constructor(
    private readonly schedule: ScheduleView,
    private readonly situation: Situation,
    /** Of who asked for it now. */
    private readonly why?: string,
  ) {
    const { lastGoal, queued } = schedule;
    const isOpen = lastGoal !== null && situation.goal(lastGoal).state === 'OPEN';
    this.running = isOpen ? lastGoal : null;
    this.queued = [...queued];
    this.next = { ...situation.next() };
  }

  /** Lets the oldest waiting firing begin, where nothing runs any more. */
  beginQueued(): void {
    if (this.running === null && this.queued.length > 0) this.begin(this.queued.shift()!);
  }

  /** @param dues when they were due, oldest first; null for one that somebody asked for */
  fire(dues: readonly (number | null)[]): void {
    for (const [index, due] of dues.entries()) {
      if (this.schedule.overlap === 'cancel' && index < dues.length - 1) {
        this.record({ type: 'schedule.skipped', due, reason: 'the next one was due as well' });
      } else if (this.running === null && this.queued.length === 0) this.begin(due);
      else this.overlap(due);
    }
  }

  miss(slots: readonly number[], more: boolean): void {
    const [from, to] = [slots[0]!, slots.at(-1)!];
    this.record({ type: 'schedule.missed', from, to, count: slots.length, more });
  }

  private overlap(due: number | null): void {
    const behind = this.running ?? 'those that wait';
    const { overlap } = this.schedule;
    if (overlap === 'cancel') {
      if (this.running !== null) this.cancel(this.running);
      this.begin(due);
    } else if (overlap === 'queue' && this.queued.length < QUEUED) {
      this.queued.push(due);
      this.record({ type: 'schedule.queued', due, behind, ...because(this.why) });
    } else {
      const reason = overlap === 'queue' ? `${QUEUED} wait already` : `${behind} was still open`;
      this.record({ type: 'schedule.skipped', due, reason });
    }
  }

  private cancel(id: string): void {
    const why = `the schedule ‘${this.schedule.name}’ begins again`;
    const goal = this.situation.goal(id);
    this.events.push(eventOn(goal, this.situation, { type: 'goal.cancelled', why }));
    this.cancelled.push(id);
    this.running = null;
  }

  private begin(due: number | null): void {
    const { name, request } = this.schedule;
    try {
      const key = due === null ? {} : { key: `schedule ${name} ${new Date(due).toISOString()}` };
      const { events, decision } = enqueueRule
        .prepare({ ...request, ...key })
        .decideOn({ ...this.situation, next: () => this.next });
      const goal = decision.goal;
      this.record({ type: 'schedule.fired', due, goal, ...because(this.why) });
      this.events.push(...events);
      for (const { event } of events) {
        if (event.type === 'goal.created') this.next.goal += 1;
        if (event.type === 'goal.planned') this.next.task += event.tasks.length;
      }
      if (decision.created) this.created.push(goal);
      this.running = goal;
    } catch (error) {
      // A plan of an older Drover may be refused by a newer one: said where people look, and not tried for ever.
      if (!(error instanceof DroverError)) throw error;
      this.record({ type: 'schedule.skipped', due, reason: error.message });
    }
  }

  private record(event: Event): void {
    const { name, project } = this.schedule;
    const { now, by } = this.situation;
    this.events.push({ time: now, project, goal: scheduleSubject(name), by, event });
  }
}
