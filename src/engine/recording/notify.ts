/** Tells outside programs, by pub/sub, what was just recorded. */
import type { LoggedEvent } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import type { RedisClient } from '../../queues/connection.js';
import { publishTasks, TASKS_COMPLETE, TASKS_NEW } from '../../queues/notices.js';

const CHANNELS: Partial<
  Record<LoggedEvent['event']['type'], typeof TASKS_NEW | typeof TASKS_COMPLETE>
> = {
  'task.queued': TASKS_NEW,
  'task.completed': TASKS_COMPLETE,
  'task.failed': TASKS_COMPLETE,
};

export async function announce(
  client: RedisClient,
  prefix: string,
  events: readonly LoggedEvent[],
  changed: ReadonlyMap<string, { readonly goal: GoalView }>,
): Promise<void> {
  const notices = events.flatMap(({ event, goal, project, task }) => {
    const channel = CHANNELS[event.type];
    const view = changed.get(goal)?.goal.tasks.get(task ?? '');
    if (!channel || !view) return [];
    const { id, name, capability } = view.spec;
    return [
      { channel, notice: { prefix, project, goal, task: id, name, capability, state: view.state } },
    ];
  });
  if (notices.length > 0) await publishTasks(client, notices);
}
