/** Gives planned tasks their ids. */
import type { GoalView } from '../../core/goal.js';
import { taskId } from '../../core/ids.js';
import type { PlannedTask, TaskSpec } from '../../core/plan.js';

/** Milliseconds that a task is expected to take, where anything is known. */
export type Expect = (task: PlannedTask) => number | undefined;

/**
 * Gives planned tasks their ids and what they are expected to take, and their needs the ids of the tasks they name.
 * @param known ids of the tasks that are there already, by name
 */
export function numberTasks(
  tasks: readonly PlannedTask[],
  first: number,
  priority: GoalView['priority'],
  expect: Expect,
  known: ReadonlyMap<string, string> = new Map(),
): TaskSpec[] {
  const ids = new Map(known);
  for (const [index, { name }] of tasks.entries()) ids.set(name, taskId(first + index));
  return tasks.map((task) => {
    const learned = task.expected === undefined ? expect(task) : undefined;
    return {
      ...task,
      id: ids.get(task.name)!,
      needs: [...new Set(task.needs)].map((need) => ids.get(need)!),
      priority: task.priority ?? priority,
      ...(learned !== undefined && { expected: learned, learned: true as const }),
    };
  });
}
