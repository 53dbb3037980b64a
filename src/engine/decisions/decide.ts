/**
 * Requests become events: each is decided on the goals as they are and recorded in the same breath, so nothing
 * can change in between.
 *
 * Invariants kept here: 2 (recording is all that happens; effects follow, and a start repeats them), 4 (a
 * command that is delivered twice is decided once).
 */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { NewEvent } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import type { Json } from '../../core/plan.js';
import { goalByKey } from '../../projections/goal-list.js';
import {
  cancelEvents,
  createGoalEvents,
  growEvents,
  noGoal,
  noTask,
  retryEvents,
} from './changes.js';
import type { Ledger } from '../recording/ledger.js';
import {
  cancelRequestSchema,
  goalRequestSchema,
  growthRequestSchema,
  retryRequestSchema,
} from './requests.js';

export interface Request {
  /** `enqueue`, `cancel`, `retry` or `grow`. */
  readonly name: string;
  readonly input: unknown;
  /** Who asks, for the log. */
  readonly by: string;
  /** Makes a repeated request the same one. */
  readonly id?: string | undefined;
}

/** What a request led to; kept with its id, so that a repeated one gets the same. */
export interface Decision {
  readonly goal: string;
  /** For `retry`: the task. */
  readonly task?: string;
  /** For `enqueue`: false where a goal with the same key was there already. */
  readonly created?: boolean;
  /** For `grow`: ids of the added tasks by name. */
  readonly added?: Readonly<Record<string, string>>;
}

/** @throws DroverError where the request cannot be met; nothing is recorded then. */
export function decide(ledger: Ledger, { name, input, by, ...request }: Request): Decision {
  const id = name === 'grow' ? growthId(input) : request.id;
  const known = id === undefined ? undefined : ledger.log.outcome(id);
  // It was made here.
  if (known !== undefined) return known as unknown as Decision;
  const { events, decision } = decisionOn(ledger, name, input, by);
  const outcome = { ...decision } as Record<string, Json>;
  ledger.commit(events, id === undefined ? {} : { command: { id, outcome } });
  return decision;
}

interface Decided {
  readonly events: readonly NewEvent[];
  readonly decision: Decision;
}

function decisionOn(ledger: Ledger, name: string, input: unknown, by: string): Decided {
  const now = Date.now();
  switch (name) {
    case 'enqueue': {
      const request = parse(goalRequestSchema, input);
      const { project, key } = request;
      const existing = key === undefined ? undefined : goalByKey(ledger.log.db, project, key);
      if (existing !== undefined)
        return { events: [], decision: { goal: existing, created: false } };
      const events = createGoalEvents(request, ledger.log.nextNumbers(), by, now);
      return { events, decision: { goal: events[0]!.goal, created: true } };
    }
    case 'cancel': {
      const { goal, why } = parse(cancelRequestSchema, input);
      return { events: cancelEvents(goalOf(ledger, goal), by, why, now), decision: { goal } };
    }
    case 'retry': {
      const { task, why } = parse(retryRequestSchema, input);
      const goal = ledger.board.goalOf(task);
      const view = goal?.tasks.get(task);
      if (!goal || !view) throw noTask(task);
      return { events: retryEvents(goal, view, by, why, now), decision: { goal: goal.id, task } };
    }
    case 'grow': {
      const request = parse(growthRequestSchema, input);
      const goal = goalOf(ledger, request.goal);
      const { event, added } = growEvents(request, goal, ledger.log.nextNumbers(), now);
      return { events: [event], decision: { goal: goal.id, added } };
    }
    default:
      throw new DroverError('bad-input', `There is no command ‘${name}’.`);
  }
}

/** One call of a handler is one request, whichever claim of its task makes it. */
function growthId(input: unknown): string {
  const { task, call } = parse(growthRequestSchema, input);
  return `${task}.add.${call}`;
}

function goalOf(ledger: Ledger, id: string): GoalView {
  const goal = ledger.board.goal(id);
  if (!goal) throw noGoal(id);
  return goal;
}

function parse<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new DroverError(
    'bad-input',
    `The request cannot be read: ${z.prettifyError(parsed.error)}.`,
  );
}
