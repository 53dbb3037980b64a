/** What the exit status of `drover` tells. */
import { DroverError, type ErrorCode } from '../core/errors.js';
import type { GoalState } from '../core/task-state.js';
import type { GoalReport } from '../projections/report.js';

export const EXIT = {
  done: 0,
  unexpected: 1,
  badInput: 2,
  settled: 3,
  cancelled: 4,
  unreachable: 5,
  disagreement: 6,
  unheard: 7,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** For the help. */
export const EXIT_CODES: readonly [ExitCode, string][] = [
  [EXIT.done, 'Done: the goal, or what the command was asked for.'],
  [EXIT.unexpected, 'An unexpected error.'],
  [EXIT.badInput, 'Bad input: options, a flow file, an id that does not exist.'],
  [
    EXIT.settled,
    'The goal is settled: tasks have failed, and nothing is left that can run. Or it did not land.',
  ],
  [EXIT.cancelled, 'The goal was cancelled.'],
  [EXIT.unreachable, 'Something it needs cannot be reached or used: Redis, supervisor, log.'],
  [EXIT.disagreement, 'What `audit` compared does not agree.'],
  [
    EXIT.unheard,
    'What `audit` compared agrees, but BullMQ could not be asked about goals that are open.',
  ],
  [EXIT.interrupted, 'Interrupted before the end; nothing is lost.'],
];

const OF_ERROR: Record<ErrorCode, ExitCode> = {
  'bad-input': EXIT.badInput,
  'bad-plan': EXIT.badInput,
  'not-found': EXIT.badInput,
  conflict: EXIT.badInput,
  'too-large': EXIT.badInput,
  'stale-claim': EXIT.unexpected,
  cancelled: EXIT.cancelled,
  'redis-unreachable': EXIT.unreachable,
  'redis-unsuitable': EXIT.unreachable,
  'log-locked': EXIT.unreachable,
  'log-unreadable': EXIT.unreachable,
  'log-unwritable': EXIT.unreachable,
  'log-newer': EXIT.unreachable,
  'no-supervisor': EXIT.unreachable,
  timeout: EXIT.unreachable,
  hindered: EXIT.unreachable,
};

const OF_GOAL: Record<GoalState, ExitCode> = {
  DONE: EXIT.done,
  SETTLED: EXIT.settled,
  CANCELLED: EXIT.cancelled,
  // Only somebody who stopped waiting sees it open.
  OPEN: EXIT.interrupted,
};

export function exitOfGoal({ state, branch }: Pick<GoalReport, 'state' | 'branch'>): ExitCode {
  const couldNotLand = state === 'DONE' && branch !== null && branch.trouble !== null;
  return couldNotLand ? EXIT.settled : OF_GOAL[state];
}

export function exitOfError(error: unknown): ExitCode {
  return error instanceof DroverError ? OF_ERROR[error.code] : EXIT.unexpected;
}
