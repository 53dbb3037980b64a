/** The finished steps of tasks, from the log: what their journals hold, or held before Redis lost them. */
import { WORK_STEP } from '../core/events.js';
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
        // What it merged then is not what it is to do now.
        if (event.keepSteps) steps.get(id)?.delete(WORK_STEP);
        else steps.delete(id);
      }
    }
  }
  return [...steps].flatMap(([task, done]) =>
    [...done].map(([step, result]) => ({ task, step, result })),
  );
}
