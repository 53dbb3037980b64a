/** The finished steps of tasks, from the log: what their journals hold, or held before Redis lost them. */
import { leftBySteps, WORK_STEP } from '../core/events.js';
import type { Json } from '../core/plan.js';
import type { Log } from '../log/log.js';

export interface FinishedStep {
  readonly task: string;
  readonly step: string;
  readonly result: Json;
  /** What the same step's results were before; but for `WORK_STEP` there are none. */
  readonly overtaken: readonly Json[];
}

type Results = Map<string, Pick<FinishedStep, 'result' | 'overtaken'>>;

/** Those of these tasks' steps that are not to run again. */
export function finishedSteps(log: Log, goal: string, tasks: ReadonlySet<string>): FinishedStep[] {
  const steps = new Map<string, Results>();
  const types = ['step.done', 'task.retried', 'tasks.reopened'] as const;
  for (const { task = '', event } of log.events({ goal, types })) {
    if (event.type === 'step.done') {
      if (!tasks.has(task)) continue;
      const done: Results = steps.get(task) ?? new Map();
      const before = done.get(event.step);
      const overtaken = before ? [...before.overtaken, before.result] : [];
      steps.set(task, done.set(event.step, { result: event.result, overtaken }));
    } else if (event.type === 'task.retried') {
      if (event.fromScratch) steps.delete(task);
    } else if (event.type === 'tasks.reopened') {
      for (const id of event.tasks) {
        if (event.keepSteps) keepOnlyLeft(steps.get(id));
        else steps.delete(id);
      }
    }
  }
  return [...steps].flatMap(([task, done]) =>
    [...done].map(([step, results]) => ({ task, step, ...results })),
  );
}

/** What it merged then is not what it is to do now, but what its steps left in the files nobody makes again. */
function keepOnlyLeft(steps: Results | undefined): void {
  const left = leftBySteps(steps?.get(WORK_STEP)?.result);
  if (left === undefined) steps?.delete(WORK_STEP);
  else steps?.set(WORK_STEP, { result: { left }, overtaken: [] });
}
