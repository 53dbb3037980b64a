/** A goal and its tasks as the log and BullMQ name them. */
import type { Event, NewEvent } from '../core/events.js';
import { type GoalView, jobOf, type TaskView } from '../core/goal.js';
import type { JobRef } from '../queues/jobs.js';

export const refOf = (task: TaskView): JobRef => ({ queue: task.spec.capability, id: jobOf(task) });

export const capabilitiesOf = (goal: GoalView): Set<string> =>
  new Set([...goal.tasks.values()].map((task) => task.spec.capability));

export const eventOf = (goal: GoalView, event: Event): NewEvent => ({
  time: Date.now(),
  project: goal.project,
  goal: goal.id,
  event,
});
