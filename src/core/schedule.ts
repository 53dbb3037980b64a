/**
 * Schedules: goals that begin again and again. A schedule's events name it where others name their goal. The fold is
 * deterministic and free of I/O, like that of goals (invariant 1).
 */
import { type Event, type NewEvent } from './events.js';
import type { Json } from './plan.js';
import { type CatchUp, type Overlap } from './schedule-events.js';

const SUBJECT = 'schedule/';

/** What the events of a schedule carry where others name their goal; no goal is called so. */
export const scheduleSubject = (name: string): string => `${SUBJECT}${name}`;

/** The schedule that an event's `goal` names, or undefined where it names a goal. */
export const scheduleOf = (subject: string): string | undefined =>
  subject.startsWith(SUBJECT) ? subject.slice(SUBJECT.length) : undefined;

export interface ScheduleView {
  readonly name: string;
  readonly project: string;
  readonly by: string | null;
  readonly addedAt: number;
  readonly cron: string;
  readonly tz: string;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  /** The request for a goal, as `enqueue` takes it. */
  readonly request: Readonly<Record<string, Json>>;
  paused: boolean;
  /** Firings that were due up to then are accounted for, epoch milliseconds. */
  accounted: number;
  /** Firings that wait for the goal before them, by when they were due; null for one asked for by hand. */
  queued: (number | null)[];
  /** The goal that began last. */
  lastGoal: string | null;
  lastFiredAt: number | null;
  /** Why something did not begin, since the last goal began. */
  remark: string | null;
}

/**
 * Folds one event into its schedule.
 * @returns the schedule, or undefined where it was removed
 */
export function evolveSchedule(
  view: ScheduleView | undefined,
  { event, time, project, by, goal }: NewEvent,
): ScheduleView | undefined {
  if (event.type === 'schedule.added') {
    const { cron, tz, overlap, catchUp, request } = event;
    return {
      name: scheduleOf(goal)!,
      project,
      by: by ?? null,
      addedAt: time,
      cron,
      tz,
      overlap,
      catchUp,
      request,
      paused: false,
      accounted: time,
      // One that takes the place of another knows what that had begun.
      queued: [],
      lastGoal: view?.lastGoal ?? null,
      lastFiredAt: view?.lastFiredAt ?? null,
      remark: null,
    };
  }
  if (!view || event.type === 'schedule.removed') return undefined;
  return { ...view, ...changeOf(view, event, time) };
}

function changeOf(view: ScheduleView, event: Event, time: number): Partial<ScheduleView> {
  switch (event.type) {
    case 'schedule.paused':
      return { paused: true };
    case 'schedule.resumed':
      // What was due in between was not wanted.
      return { paused: false, accounted: Math.max(view.accounted, time) };
    case 'schedule.fired': {
      const { due, goal } = event;
      const at = view.queued.indexOf(due);
      return {
        ...account(view, due),
        queued: at === -1 ? view.queued : view.queued.toSpliced(at, 1),
        lastGoal: goal,
        lastFiredAt: time,
        remark: null,
      };
    }
    case 'schedule.queued':
      return {
        ...account(view, event.due),
        queued: [...view.queued, event.due],
        remark: `waits for ${event.behind}`,
      };
    case 'schedule.skipped':
      return { ...account(view, event.due), remark: event.reason };
    case 'schedule.missed':
      return {
        ...account(view, event.to),
        remark: `${event.more ? 'more than ' : ''}${event.count} were missed`,
      };
    default:
      return {};
  }
}

const account = ({ accounted }: ScheduleView, due: number | null): { accounted: number } => ({
  accounted: Math.max(accounted, due ?? 0),
});
