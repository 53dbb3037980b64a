/** STATE.yaml as the merge of a task carries it: a commit's code and state agree. Pure. */
import { oneLine, shortResult } from './one-line.js';
import { parseState, renderState } from './state-file.js';
import { isoTime, type StateFile, type TaskEntry } from './state-schema.js';
import type { Json } from '../core/plan.js';

/** A task whose work is merged, as its agent knows it. */
export interface MergedTask {
  readonly project: string;
  readonly goal: string;
  /** The goal's title. */
  readonly title: string;
  readonly task: string;
  readonly name: string;
  readonly needs: readonly string[];
  readonly agent: string;
  readonly result: Json;
  /** Epoch milliseconds. */
  readonly finished: number;
}

/**
 * The file in which the task is DONE. Its agent has no log: what else is in the file is taken over as it is.
 * @param previous the file in the commit that is merged into; one that is damaged or missing is begun anew
 */
export function withMergedTask(previous: string | undefined, merged: MergedTask): string {
  const before = readState(previous);
  const { project, goal, title, task, finished } = merged;
  const known = before?.goals[goal];
  const {
    'retry-at': _retryAt,
    'blocked-by': _blockers,
    error: _error,
    ...rest
  } = known?.tasks?.[task] ?? ({} as Partial<TaskEntry>);
  const result = shortResult(merged.result);
  const entry: TaskEntry = {
    ...rest,
    name: oneLine(merged.name),
    state: 'DONE',
    ...(merged.needs.length > 0 && { needs: [...merged.needs] }),
    agent: oneLine(merged.agent),
    finished: isoTime(finished),
    ...(result !== '' && { result }),
  };
  const tasks = { ...known?.tasks, [task]: entry };
  const { progress: _progress, ...goalEntry } = known ?? {
    title: oneLine(title),
    state: 'OPEN' as const,
    created: isoTime(finished),
    progress: undefined,
  };
  const goals = { ...before?.goals, [goal]: { ...goalEntry, tasks } };
  return renderState({ project, seq: before?.seq ?? 0, goals }, before ? previous : '');
}

/**
 * The base branch's file once a goal has landed in it.
 * @param base the file as the base branch has it
 * @param landed the file as the goal's branch has it
 */
export function withLandedGoal(
  base: string | undefined,
  landed: string | undefined,
  goal: string,
): string | undefined {
  const from = readState(landed);
  const entry = from?.goals[goal];
  if (!from || !entry) return base;
  const before = readState(base);
  const goals = { ...before?.goals, [goal]: { ...entry, state: 'DONE' as const } };
  const seq = Math.max(before?.seq ?? 0, from.seq);
  return renderState({ project: from.project, seq, goals }, before ? base : '');
}

function readState(text: string | undefined): StateFile | undefined {
  if (text === undefined) return undefined;
  try {
    return parseState(text);
  } catch {
    return undefined;
  }
}
