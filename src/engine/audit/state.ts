/**
 * Compares a project's STATE.yaml with the log. The file names the last event it was made of, so it is held
 * against the fold up to there: what happened since makes it old, not wrong. Pure, given the folds.
 */
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../../core/errors.js';
import type { GoalView } from '../../core/goal.js';
import type { Json } from '../../core/plan.js';
import { SHOWN } from '../../projections/project-goals.js';
import { parseState } from '../../projections/state-file.js';
import {
  describeGoal,
  type GoalEntry,
  type StateFile,
  summariseGoal,
} from '../../projections/state-schema.js';
import type { Disagreement } from './disagreement.js';

export interface StateParts {
  readonly project: string;
  /** The file's text. */
  readonly text: string;
  /** The project's goals, and whether they are over by now. */
  readonly goals: ReadonlyMap<string, { readonly isOver: boolean }>;
  /** A goal as it stood after an event; undefined where it was not created yet. */
  readonly goalAt: (goal: string, seq: number) => GoalView | undefined;
  readonly lastSeq: number;
}

export interface StateAudit {
  readonly found: readonly Disagreement[];
  /** Goals of which the file shows less than has happened since. */
  readonly behind: readonly string[];
}

export function auditState({ project, text, goals, goalAt, lastSeq }: StateParts): StateAudit {
  const found: Disagreement[] = [];
  const differ = (
    goal: string | null,
    task: string | null,
    field: string,
    [log, state]: readonly [unknown, unknown],
    explanation: string,
  ): void => {
    if (isDeepStrictEqual(log, state)) return;
    const values = { log: (log ?? null) as Json, state: (state ?? null) as Json };
    found.push({ witnesses: ['log', 'state'], goal, task, field, values, explanation });
  };

  let file: StateFile;
  try {
    file = parseState(text);
  } catch (error) {
    differ(null, null, 'STATE.yaml', [project, null], messageOf(error));
    return { found, behind: [] };
  }
  const { seq } = file;
  differ(
    null,
    null,
    'project',
    [project, file.project],
    `The STATE.yaml of ${project} names another project.`,
  );
  if (seq > lastSeq) {
    differ(
      null,
      null,
      'seq',
      [lastSeq, seq],
      `The STATE.yaml of ${project} knows events that the log lacks.`,
    );
    return { found, behind: [] };
  }
  const behind: string[] = [];
  const over = Object.values(file.goals).filter(
    ({ state }) => state === 'DONE' || state === 'CANCELLED',
  );
  for (const [goal, { isOver }] of goals) {
    // Of many finished goals only the latest are shown.
    if (isOver && !file.goals[goal] && over.length >= SHOWN) continue;
    const view = goalAt(goal, seq);
    const now = goalAt(goal, lastSeq);
    const shown = file.goals[goal];
    const then = view && asShown(view, shown);
    compareGoal(goal, then, shown, seq, differ);
    if (!isDeepStrictEqual(then, now && asShown(now, shown))) behind.push(goal);
  }
  for (const goal of Object.keys(file.goals).filter((id) => !goals.has(id))) {
    differ(
      goal,
      null,
      'goal',
      [null, file.goals[goal]!.state],
      `STATE.yaml of ${project} has a goal that the log lacks.`,
    );
  }
  return { found, behind };
}

/** A goal's entry, with its tasks where the file shows them. */
function asShown(view: GoalView, shown: GoalEntry | undefined): GoalEntry {
  const entry = describeGoal(view);
  return shown && !shown.tasks && entry.tasks ? summariseGoal(entry) : entry;
}

function compareGoal(
  goal: string,
  then: GoalEntry | undefined,
  shown: GoalEntry | undefined,
  seq: number,
  differ: (
    goal: string,
    task: string | null,
    field: string,
    values: readonly [unknown, unknown],
    explanation: string,
  ) => void,
): void {
  const at = `event ${seq}, of which it was made`;
  if (!then || !shown) {
    differ(
      goal,
      null,
      'goal',
      [then?.state, shown?.state],
      `STATE.yaml does not have the goals of ${at}.`,
    );
    return;
  }
  const { tasks: expected = {}, ...fields } = then;
  const { tasks = {}, ...own } = shown;
  for (const field of new Set([...Object.keys(fields), ...Object.keys(own)])) {
    const values = [valueOf(fields, field), valueOf(own, field)] as const;
    differ(goal, null, field, values, `STATE.yaml shows another ‘${field}’ than the log at ${at}.`);
  }
  for (const task of new Set([...Object.keys(expected), ...Object.keys(tasks)])) {
    const [log, state] = [expected[task] ?? {}, tasks[task] ?? {}];
    for (const field of new Set([...Object.keys(log), ...Object.keys(state)])) {
      const values = [valueOf(log, field), valueOf(state, field)] as const;
      differ(
        goal,
        task,
        field,
        values,
        `STATE.yaml shows another ‘${field}’ than the log at ${at}.`,
      );
    }
  }
}

const valueOf = (entry: object, field: string): unknown =>
  (entry as Readonly<Record<string, unknown>>)[field];
