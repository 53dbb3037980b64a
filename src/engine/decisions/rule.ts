/**
 * How a request is written: what it looks like, and what events it leads to. A rule reads the goals as they are and
 * has no effects; what it returns is recorded before anything is done about it (invariant 2).
 */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { Event, NewEvent } from '../../core/events.js';
import type { GoalView, TaskView } from '../../core/goal.js';
import { isGoalId, isTaskId } from '../../core/ids.js';
import { issuesText } from '../../core/issues-text.js';
import type { Limit } from '../../core/limits.js';
import type { ScheduleView } from '../../core/schedule.js';
import type { CronTime } from '../../queues/cron.js';
import type { LinePoint } from './goal-line.js';
import type { Expect } from './number.js';

export const goalIdSchema = z.string().refine(isGoalId, { error: 'must be a goal such as goal-7' });
export const taskIdSchema = z
  .string()
  .refine(isTaskId, { error: 'must be a task such as task-123' });
/** Why somebody asks, for the log. */
export const whySchema = z.string().max(10_000).optional();

/** Cron expressions and time zones; BullMQ's, which takes long to load and which few requests need. */
export interface Calendar {
  /** @throws DroverError `bad-input` where the times make no sense */
  readonly check: (times: CronTime, now: number) => void;
  /** The first moment after another at which it is due, epoch milliseconds. */
  readonly next: (times: CronTime, after: number) => number | undefined;
}

/** What a rule may look at. */
export interface Situation {
  /** Who asks, for the log. */
  readonly by: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** The next free numbers. */
  readonly next: () => { goal: number; task: number };
  /** @throws DroverError `not-found` */
  readonly goal: (id: string) => GoalView;
  /** @throws DroverError `not-found` */
  readonly task: (id: string) => { goal: GoalView; task: TaskView };
  readonly isPaused: (kind: 'project' | 'capability', name: string) => boolean;
  /** What is set for capabilities and projects. */
  readonly limits: () => readonly Limit[];
  /** The goal that was enqueued with this key. */
  readonly goalWithKey: (project: string, key: string) => string | undefined;
  /**
   * The goal's branch as git has it, as far as it stays after what is decided already.
   * @throws DroverError `conflict` where it has gone back since it was read
   */
  readonly line: (goal: GoalView) => readonly LinePoint[];
  /** The schedule of this name, where there is one. */
  readonly findSchedule: (name: string) => ScheduleView | undefined;
  /** When schedules are due. */
  readonly calendar: Calendar;
  /** How long tasks of a goal may take, as far as the log knows such tasks. */
  readonly expectIn: (goal: Pick<GoalView, 'project' | 'source' | 'title'>) => Expect;
}

/** What a request led to; kept with its id, so that a repeated one gets the same. JSON. */
export interface Decision {
  /** What it is about: a goal, or a schedule as its events name it. */
  readonly goal: string;
}

export interface Decided<D extends Decision> {
  readonly events: readonly NewEvent[];
  readonly decision: D;
}

interface RuleSpec<S extends z.ZodType, D extends Decision> {
  readonly schema: S;
  /** @throws DroverError where the request cannot be met; the goals stay as they are */
  readonly decide: (request: z.output<S>, situation: Situation) => Decided<D>;
  /** Names requests that are the same one, where their senders do not. */
  readonly idOf?: (request: z.output<S>) => string | undefined;
}

/** A request that can be read, and is to be decided on. */
interface Prepared<D extends Decision> {
  readonly id: string | undefined;
  readonly decideOn: (situation: Situation) => Decided<D>;
}

export interface Rule<S extends z.ZodType, D extends Decision> extends RuleSpec<S, D> {
  /** @throws DroverError `bad-input` */
  readonly prepare: (input: unknown) => Prepared<D>;
}

export const defineRule = <S extends z.ZodType, D extends Decision>(
  rule: RuleSpec<S, D>,
): Rule<S, D> => ({
  ...rule,
  prepare(input) {
    const parsed = rule.schema.safeParse(input);
    if (!parsed.success) throw unreadable(parsed.error, input);
    const request = parsed.data;
    return {
      id: rule.idOf?.(request),
      decideOn: (situation) => rule.decide(request, situation),
    };
  },
});

/** What the id in a request's field is of, and what helps whoever wrote another. */
const IDS: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  task: [
    'no task',
    'Write an id such as task-123; `drover status GOAL` lists the tasks of a goal.',
  ],
  goal: ['no goal', 'Write an id such as goal-7; `drover goals` lists them.'],
  id: [
    'no goal and no task',
    'Write an id such as goal-7 or task-123; `drover goals` lists the goals.',
  ],
};

function unreadable(error: z.ZodError, input: unknown): DroverError {
  const path = error.issues[0]!.path;
  const field = String(path[0]);
  const id = IDS[field];
  const written = id && path.length === 1 ? (input as Record<string, unknown>)[field] : undefined;
  if (!id || typeof written !== 'string') {
    return new DroverError('bad-input', `The request cannot be read: ${issuesText(error)}.`);
  }
  return new DroverError('bad-input', `‘${written.slice(0, 80)}’ is ${id[0]}.`, id[1]);
}

/** An event on a goal, or on one of its tasks, that somebody asked for. */
export function eventOn(
  { project, id }: GoalView,
  { by, now }: Pick<Situation, 'by' | 'now'>,
  event: Event,
  task?: string,
): NewEvent {
  return { time: now, project, goal: id, ...(task !== undefined && { task }), by, event };
}

/** `why` as an event carries it. */
export const because = (why: string | undefined): { why?: string } =>
  why === undefined ? {} : { why };

export const noGoal = (id: string): DroverError =>
  new DroverError('not-found', `There is no ${id}.`, 'List the goals with `drover goals`.');

export const noTask = (id: string): DroverError =>
  new DroverError(
    'not-found',
    `There is no ${id}.`,
    'List the tasks of a goal with `drover status GOAL`.',
  );
