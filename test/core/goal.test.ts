/** The fold: given these events, the goal is this. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event, NewEvent } from '../../src/core/events.js';
import { evolve } from '../../src/core/evolve.js';
import { blockedBy, createGoal, type GoalView } from '../../src/core/goal.js';
import { type TaskSpec, taskSpecSchema } from '../../src/core/plan.js';
import type { TaskState } from '../../src/core/task-state.js';

const place = { project: 'p', goal: 'goal-1' };

const spec = (id: number, needs: number[] = [], more: Partial<TaskSpec> = {}): TaskSpec =>
  taskSpecSchema.parse({
    id: `task-${id}`,
    name: `n${id}`,
    capability: 'developer',
    priority: 'normal',
    needs: needs.map((need) => `task-${need}`),
    ...more,
  });

let clock = 0;
const on = (task: number, event: Event, claim?: number): NewEvent => ({
  ...place,
  time: (clock += 1),
  task: `task-${task}`,
  event,
  ...(claim !== undefined && { claim }),
});

function given(tasks: TaskSpec[], ...events: NewEvent[]): GoalView {
  const goal = createGoal({
    ...place,
    time: 0,
    event: { type: 'goal.created', title: 'G', priority: 'normal' },
  });
  evolve(goal, { ...place, time: 0, event: { type: 'goal.planned', tasks } });
  for (const event of events) evolve(goal, event);
  return goal;
}

const states = (goal: GoalView): TaskState[] => [...goal.tasks.values()].map(({ state }) => state);
const complete: Event = { type: 'task.completed', result: 1 };
const fail: Event = { type: 'task.failed', reason: 'no' };

describe('a task', () => {
  it('leaves the backlog with its last need', () => {
    const goal = given([spec(1), spec(2), spec(3, [1, 2])], on(1, complete));
    expect(states(goal)).toEqual(['DONE', 'PENDING', 'BACKLOG']);
    evolve(goal, on(2, complete));
    expect(states(goal)).toEqual(['DONE', 'DONE', 'PENDING']);
  });

  it('is the same whichever of two streams was read first', () => {
    const early = given([spec(1), spec(2, [1])], on(2, { type: 'task.assigned' }), on(1, complete));
    const late = given([spec(1), spec(2, [1])], on(1, complete), on(2, { type: 'task.assigned' }));
    expect(states(early)).toEqual(states(late));
    expect(early.tasks.get('task-2')!.openNeeds).toBe(0);
  });

  it('stays done whatever a queue still says of it', () => {
    const goal = given([spec(1)], on(1, complete), on(1, { type: 'task.assigned' }), on(1, fail));
    expect(states(goal)).toEqual(['DONE']);
    expect(goal.tasks.get('task-1')).toMatchObject({ claims: 0, result: 1, error: null });
  });

  it('counts an attempt that the agent announced and BullMQ confirmed once', () => {
    const goal = given(
      [spec(1)],
      on(1, { type: 'task.assigned' }),
      on(1, { type: 'attempt.failed', error: 'x', final: false }, 1),
      on(1, { type: 'task.retrying', until: 5 }),
      on(1, { type: 'task.assigned' }),
      on(1, { type: 'task.declined', agent: 'a', reason: 'busy' }, 2),
      on(1, { type: 'task.retrying', until: 9 }),
    );
    expect(goal.tasks.get('task-1')).toMatchObject({
      failures: 1,
      declines: 1,
      claims: 2,
      state: 'PENDING',
    });
  });

  it('with a check is done only if the check passed under the claim that completed it', () => {
    const checked = spec(1, [], { check: { run: 'true', timeout: 1 } });
    const passed: Event = {
      type: 'check.finished',
      command: 'true',
      exitCode: 0,
      output: '',
      durationMs: 1,
      passed: true,
    };
    const assigned: Event = { type: 'task.assigned' };
    expect(states(given([checked], on(1, assigned), on(1, passed, 1), on(1, complete)))).toEqual([
      'DONE',
    ]);
    const unproven = given([checked], on(1, assigned), on(1, complete));
    expect(states(unproven)).toEqual(['FAILED']);
    expect(unproven.tasks.get('task-1')!.error).toContain('`true` was not run');
    const stale = given(
      [checked],
      on(1, assigned),
      on(1, passed, 1),
      on(1, assigned),
      on(1, complete),
    );
    expect(states(stale)).toEqual(['FAILED']);
  });

  it('that failed comes back by a person only', () => {
    const goal = given(
      [spec(1)],
      on(1, fail),
      on(1, { type: 'task.queued', from: 'waiting-children' }),
    );
    expect(states(goal)).toEqual(['FAILED']);
    evolve(goal, on(1, { type: 'task.queued', from: 'failed' }));
    expect(states(goal)).toEqual(['PENDING']);
    expect(goal.state).toBe('OPEN');
  });
});

describe('a goal', () => {
  it('is settled when all that is left is blocked, and says by what', () => {
    const goal = given([spec(1), spec(2, [1]), spec(3, [2]), spec(4)], on(1, fail));
    expect(goal.state).toBe('OPEN');
    evolve(goal, on(4, complete));
    expect(goal.state).toBe('SETTLED');
    expect(blockedBy(goal)).toEqual(
      new Map([
        ['task-2', ['task-1']],
        ['task-3', ['task-1']],
      ]),
    );
  });

  it('is done without an optional task that failed', () => {
    const goal = given([spec(1, [], { optional: true }), spec(2, [1])], on(1, fail));
    expect(states(goal)).toEqual(['FAILED', 'PENDING']);
    evolve(goal, on(2, complete));
    expect(goal.state).toBe('DONE');
  });

  it('that is cancelled leaves finished tasks as they are', () => {
    const goal = given([spec(1), spec(2), spec(3, [2])], on(1, complete));
    evolve(goal, { ...place, time: 9, event: { type: 'goal.cancelled' } });
    expect(states(goal)).toEqual(['DONE', 'CANCELLED', 'CANCELLED']);
    evolve(goal, on(2, complete));
    expect(states(goal)).toEqual(['DONE', 'CANCELLED', 'CANCELLED']);
  });

  it('grows: the adding task waits for what it added', () => {
    const goal = given([spec(1), spec(2, [1])], on(1, { type: 'task.assigned' }));
    evolve(goal, {
      ...place,
      time: 5,
      event: {
        type: 'plan.grown',
        tasks: [spec(3), spec(4, [3])],
        addedBy: 'task-1',
        awaited: true,
      },
    });
    evolve(goal, on(1, { type: 'task.suspended' }));
    expect(states(goal)).toEqual(['BACKLOG', 'BACKLOG', 'PENDING', 'BACKLOG']);
    evolve(goal, on(3, complete));
    evolve(goal, on(4, complete));
    expect(states(goal)).toEqual(['PENDING', 'BACKLOG', 'DONE', 'DONE']);
  });
});

describe('any order of events', () => {
  const kinds: Event[] = [
    { type: 'task.queued' },
    { type: 'task.queued', from: 'failed' },
    { type: 'task.assigned' },
    { type: 'task.active', agent: 'a', attempt: 1 },
    { type: 'task.retrying', until: 1 },
    { type: 'task.suspended' },
    { type: 'task.stalled' },
    { type: 'attempt.failed', error: 'e', final: false },
    complete,
    fail,
  ];
  const histories = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom(...kinds)), {
    maxLength: 60,
  });
  const plan = [spec(1), spec(2, [1]), spec(3, [1]), spec(4, [2, 3]), spec(5, [1, 4]), spec(6)];

  it('keeps counts and open needs true, and only ever raises claims', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const goal = given(plan);
        for (const [task, event] of history) {
          const before = new Map([...goal.tasks].map(([id, { claims }]) => [id, claims]));
          evolve(goal, on(task, event));
          for (const [id, view] of goal.tasks) {
            expect(view.claims).toBeGreaterThanOrEqual(before.get(id)!);
            const open = view.spec.needs.filter((need) => !goal.tasks.get(need)!.released).length;
            expect(view.openNeeds).toBe(open);
          }
          const counted = Object.values(goal.counts).reduce((sum, count) => sum + count, 0);
          expect(counted).toBe(plan.length);
          for (const [state, count] of Object.entries(goal.counts)) {
            expect(states(goal).filter((each) => each === state).length).toBe(count);
          }
        }
      }),
    );
  });
});
