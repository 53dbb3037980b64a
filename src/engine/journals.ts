/** The finished steps of tasks, from the log: what their journals hold, or held before Redis lost them. */
import { leftBySteps, WORK_STEP } from '../core/events.js';
import type { Json } from '../core/plan.js';
import type { Log } from '../log/log.js';

export interface FinishedStep {
  readonly task: string;
  readonly step: string;
  readonly result: Json;
}

/** Those of these tasks' steps that are not to run again. */
export function finishedSteps(log: Log, goal: string, tasks: ReadonlySet<string>): FinishedStep[] {
  const steps = new Map<string, Map<string, Json>>();
  const types = ['step.done', 'task.retried', 'tasks.reopened'] as const;
  for (const { task = '', event } of log.events({ goal, types })) {
    if (event.type === 'step.done') {
      if (tasks.has(task))
        steps.set(task, (steps.get(task) ?? new Map()).set(event.step, event.result));
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
    [...done].map(([step, result]) => ({ task, step, result })),
  );
}

/** What it merged then is not what it is to do now, but what its steps left in the files nobody makes again. */
function keepOnlyLeft(steps: Map<string, Json> | undefined): void {
  const left = leftBySteps(steps?.get(WORK_STEP));
  if (left === undefined) steps?.delete(WORK_STEP);
  else steps?.set(WORK_STEP, { left });
}
