/** Goals made of events, as the recorder would fold them. */
import type { Event, NewEvent } from '../../src/core/events.js';
import { evolve } from '../../src/core/evolve.js';
import { createGoal, type GoalView } from '../../src/core/goal.js';
import { type PlannedTaskInput, plannedTaskSchema, type TaskSpec } from '../../src/core/plan.js';

export const START = Date.UTC(2026, 6, 28, 10);

export function taskSpec(id: string, input: Partial<PlannedTaskInput> = {}): TaskSpec {
  const planned = plannedTaskSchema.parse({ name: `do ${id}`, capability: 'developer', ...input });
  return { ...planned, id, priority: 'normal' };
}

export class GoalMaker {
  readonly goal: GoalView;
  private time = START;

  constructor(id: string, title: string, tasks: readonly TaskSpec[]) {
    const event = { type: 'goal.created', title, priority: 'normal' } as const;
    this.goal = createGoal({ time: START, project: 'demo', goal: id, event });
    if (tasks.length > 0) this.add({ type: 'goal.planned', tasks: [...tasks] });
  }

  /** One second later than the event before. */
  add(event: Event, task?: string): this {
    this.time += 1_000;
    const entry: NewEvent = { time: this.time, project: 'demo', goal: this.goal.id, event };
    evolve(this.goal, { ...entry, ...(task !== undefined && { task }) });
    return this;
  }

  start(task: string, agent = 'worker-1'): this {
    return this.add({ type: 'task.assigned' }, task).add(
      { type: 'task.active', agent, attempt: 1 },
      task,
    );
  }

  complete(
    task: string,
    result: Extract<Event, { type: 'task.completed' }>['result'] = null,
  ): this {
    const { check } = this.start(task).goal.tasks.get(task)!.spec;
    if (check) this.proves(task, check.run);
    return this.add({ type: 'task.completed', result }, task);
  }

  private proves(task: string, command: string): void {
    const outcome = { exitCode: 0, output: '', durationMs: 1, passed: true };
    this.add({ type: 'check.finished', command, ...outcome }, task);
    // In the moment of the completion that follows.
    this.time -= 1_000;
  }

  fail(task: string, reason: string): this {
    return this.start(task).add({ type: 'task.failed', reason }, task);
  }
}
