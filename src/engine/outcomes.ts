/** What jobs came to, where the log could not hear of it. */
import type { Event, NewEvent } from '../core/events.js';
import type { GoalView } from '../core/goal.js';
import { isFinal } from '../core/task-state.js';
import type { ReconcileParts } from './reconcile.js';
import { eventOf, refOf } from './task-refs.js';

/** Outcomes that BullMQ has and the log lacks: entries of a stream were cut before they were read. */
export async function findOutcomes(
  { jobs }: Pick<ReconcileParts, 'jobs'>,
  goal: GoalView,
  queue: string,
): Promise<NewEvent[]> {
  const open = [...goal.tasks.values()].filter(
    (task) => task.spec.capability === queue && !isFinal(task.state),
  );
  const events: NewEvent[] = [];
  for (const task of open) {
    const outcome = await jobs.outcome(refOf(task));
    if (!outcome) continue;
    const event: Event =
      'result' in outcome
        ? { type: 'task.completed', result: outcome.result }
        : { type: 'task.failed', reason: outcome.failed };
    events.push({ ...eventOf(goal, event), task: task.spec.id });
  }
  return events;
}
