/**
 * Requests become events: each is decided on the goals as they are and recorded in the same breath, so nothing
 * can change in between.
 *
 * Invariants kept here: 2 (recording is all that happens; effects follow, and a start repeats them), 4 (a
 * command that is delivered twice is decided once).
 */
import type { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { NewEvent } from '../../core/events.js';
import type { Json } from '../../core/plan.js';
import { kindOf } from '../../projections/durations.js';
import { goalByKey } from '../../projections/goal-list.js';
import { loadSchedule } from '../../projections/schedules.js';
import type { GoalView } from '../../core/goal.js';
import type { Log } from '../../log/log.js';
import type { Ledger } from '../recording/ledger.js';
import { readLimits } from '../../projections/limits.js';
import { isPaused } from '../../projections/pauses.js';
import { approveRule, rejectRule } from './approve.js';
import { cancelRule } from './cancel.js';
import { cancelTaskRule, skipRule } from './cancel-task.js';
import { editRule } from './edit.js';
import { gateRule } from './gate.js';
import { pauseRule, resumeRule, switchedRule } from './pause.js';
import { rerunRule } from './reopen.js';
import { signalRule } from './signal.js';
import { branchSteps, type GoalLine, type LinePoint } from './goal-line.js';
import { enqueueRule } from './enqueue.js';
import { addRule, growRule } from './grow.js';
import { limitRule } from './limit.js';
import { retryRule } from './retry.js';
import { scheduleAddRule } from './schedule-add.js';
import { scheduleFireRule, scheduleRunRule } from './schedule-fire.js';
import { schedulePauseRule, scheduleRemoveRule, scheduleResumeRule } from './schedule-switch.js';
import { rollbackRule } from './rollback.js';
import { type Calendar, type Decision, noGoal, noTask, type Situation } from './rule.js';

/** Everything that can be asked, by name; what is done about it is in `../effects/effects.ts`. */
const RULES = {
  enqueue: enqueueRule,
  cancel: cancelRule,
  retry: retryRule,
  grow: growRule,
  add: addRule,
  rerun: rerunRule,
  cancelTask: cancelTaskRule,
  skip: skipRule,
  edit: editRule,
  pause: pauseRule,
  resume: resumeRule,
  switched: switchedRule,
  approve: approveRule,
  reject: rejectRule,
  gate: gateRule,
  signal: signalRule,
  scheduleAdd: scheduleAddRule,
  schedulePause: schedulePauseRule,
  scheduleResume: scheduleResumeRule,
  scheduleRemove: scheduleRemoveRule,
  scheduleRun: scheduleRunRule,
  scheduleFire: scheduleFireRule,
  limit: limitRule,
  rollback: rollbackRule,
};
export type RequestName = keyof typeof RULES;
export type RequestInput<N extends RequestName> = z.input<(typeof RULES)[N]['schema']>;
export type DecisionOn<N extends RequestName> = ReturnType<(typeof RULES)[N]['decide']>['decision'];

export interface Request {
  readonly name: string;
  readonly input: unknown;
  /** Who asks, for the log. */
  readonly by: string;
  /** Makes a repeated request the same one. */
  readonly id?: string | undefined;
  /** The branch of the goal that is to be rolled back; read beforehand, because git answers too late to be asked here. */
  readonly line?: GoalLine | undefined;
}

/** A decision that is recorded. */
export interface Recorded<D extends Decision> {
  readonly decision: D;
  /**
   * The events of a goal that it began, where they are few: whoever goes on with the goal need not read it, and
   * reading one costs ten times what folding it does.
   */
  readonly begun: readonly NewEvent[];
}

/** Tasks up to which a goal's events are handed on: other threads are given a copy. */
const FEW = 500;

/**
 * @internal
 * @throws DroverError where the request cannot be met; nothing is recorded then.
 */
export function decide(
  ledger: Ledger,
  { name, input, by, id: given, line }: Request,
  calendar: Calendar,
): Recorded<Decision> {
  if (!isRequest(name)) throw noCommand(name);
  const { id, decideOn } = RULES[name].prepare(input);
  const known = lookUp(ledger, id ?? given);
  if (known) return { decision: known, begun: [] };
  const { events, decision } = decideOn(situationOf(ledger, by, calendar, line));
  const command = id ?? given;
  const outcome = { ...decision } as Record<string, Json>;
  ledger.commit(events, command === undefined ? {} : { command: { id: command, outcome } });
  return { decision, begun: isSmallGoal(events) ? events : [] };
}

function isSmallGoal([created, planned]: readonly NewEvent[]): boolean {
  return (
    created?.event.type === 'goal.created' &&
    planned?.event.type === 'goal.planned' &&
    planned.event.tasks.length <= FEW
  );
}

export const noCommand = (name: string): DroverError =>
  new DroverError('bad-input', `There is no command ‘${name}’.`);

export const isRequest = (name: string): name is RequestName => Object.hasOwn(RULES, name);

/** What the request led to when it was decided before. */
function lookUp({ log }: Ledger, id: string | undefined): Decision | undefined {
  // It was made here.
  return id === undefined ? undefined : (log.outcome(id) as unknown as Decision | undefined);
}

function situationOf(
  { board, durations, log }: Ledger,
  by: string,
  calendar: Calendar,
  line: GoalLine | undefined,
): Situation {
  return {
    by,
    now: Date.now(),
    next: () => log.nextNumbers(),
    goal(id) {
      const goal = board.goal(id);
      if (!goal) throw noGoal(id);
      return goal;
    },
    task(id) {
      const goal = board.goalOf(id);
      const task = goal?.tasks.get(id);
      if (!goal || !task) throw noTask(id);
      return { goal, task };
    },
    isPaused: (kind, name) => isPaused(log.db, kind, name),
    limits: () => readLimits(log),
    goalWithKey: (project, key) => goalByKey(log.db, project, key),
    line: (goal) => standing(log, goal, line),
    findSchedule: (name) => loadSchedule(log.db, name),
    calendar,
    expectIn: (goal) => (task) => durations.expected(kindOf(goal, task)),
  };
}

function standing(log: Log, goal: GoalView, line: GoalLine | undefined): readonly LinePoint[] {
  if (line?.goal !== goal.id || line.steps !== branchSteps(log, goal.id)) {
    throw new DroverError(
      'conflict',
      `The branch of ${goal.id} went back while this was decided.`,
      `See where it is with \`drover graph ${goal.id}\`, and ask again.`,
    );
  }
  // What is to go is as good as gone.
  const last = line.points.findIndex(({ commit }) => commit === goal.rollback);
  return last === -1 ? line.points : line.points.slice(0, last + 1);
}
