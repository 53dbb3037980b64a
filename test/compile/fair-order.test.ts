/** Goals of several projects at one capability, played with BullMQ's order: by priority, then first come, first served. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairOrder } from '../../src/compile/fair-order.js';
import { Lane, type Slot } from '../../src/compile/lane.js';
import { evolve } from '../../src/core/evolve.js';
import { createGoal, type GoalView } from '../../src/core/goal.js';
import { type PlannedTaskInput, taskSpecSchema } from '../../src/core/plan.js';

interface Waiting {
  readonly id: string;
  readonly goal: string;
  priority: number;
}

let goals = 0;

function goalOf(project: string, tasks: readonly Partial<PlannedTaskInput>[]): GoalView {
  goals += 1;
  const goal = `goal-${goals}`;
  const place = { time: 1, project, goal };
  const view = createGoal({
    ...place,
    event: { type: 'goal.created', title: goal, priority: 'normal' },
  });
  const id = (index: number): string => `task-${goals}${String(index).padStart(6, '0')}`;
  const specs = tasks.map((task, index) =>
    taskSpecSchema.parse({
      name: `n${index}`,
      capability: 'developer',
      priority: 'normal',
      ...task,
      id: id(index),
      needs: (task.needs ?? []).map((need) => id(Number(need))),
    }),
  );
  evolve(view, { ...place, event: { type: 'goal.planned', tasks: specs } });
  return view;
}

const many = (project: string, count: number): GoalView =>
  goalOf(
    project,
    Array.from({ length: count }, () => ({})),
  );

class Queue {
  readonly order = new FairOrder();
  readonly begun: Waiting[] = [];
  private readonly jobs = new Map<string, Waiting>();
  /** Submitted, and waiting for what they need. */
  private readonly held = new Map<string, Waiting>();

  /** @param ready which of the goal's tasks wait for nothing; all of them unless given */
  submit(goal: GoalView, ready: (id: string) => boolean = () => true): void {
    for (const [id, priority] of this.order.place(goal, new Map())) {
      const job = { id, goal: goal.id, priority };
      if (ready(id)) this.jobs.set(id, job);
      else this.held.set(id, job);
    }
  }

  release(): void {
    for (const [id, job] of this.held) this.jobs.set(id, job);
    this.held.clear();
  }

  begin(count: number): void {
    for (let index = 0; index < count && this.jobs.size > 0; index += 1) {
      let first: Waiting | undefined;
      for (const job of this.jobs.values())
        if (!first || job.priority < first.priority) first = job;
      this.jobs.delete(first!.id);
      this.begun.push(first!);
      for (const { id, priority } of this.order.began(first!.goal, [first!.id])) {
        const moved = this.jobs.get(id) ?? this.held.get(id);
        if (moved) moved.priority = priority;
      }
    }
  }

  /** How many of a goal's tasks began, of the last so many. */
  partOf(ofGoals: readonly GoalView[], last: number): number {
    const ids = new Set(ofGoals.map(({ id }) => id));
    return this.begun.slice(-last).filter(({ goal }) => ids.has(goal)).length;
  }
}

describe('order within a goal', () => {
  it('puts the longest way first, as expected or, where nothing is known, by the number of tasks', () => {
    const plan = [
      { expected: 10 },
      { expected: 50 },
      { expected: 5, needs: ['0'] },
      { expected: 100, needs: ['2'] },
    ];
    const timed = goalOf('a', plan);
    const [a, b, c, d] = [...timed.tasks.keys()];
    const byPriority = (goal: GoalView): string[] =>
      [...new FairOrder().place(goal, new Map())].toSorted((x, y) => x[1] - y[1]).map(([id]) => id);
    expect(byPriority(timed)).toEqual([a, c, d, b]);
    const untimed = goalOf(
      'a',
      plan.map(({ needs }) => ({ ...(needs && { needs }) })),
    );
    const [e, f, g, h] = [...untimed.tasks.keys()];
    expect(byPriority(untimed)).toEqual([e, g, f, h]);
  });

  it('lets nothing of a less urgent priority go before what is more urgent, however long the goals', () => {
    const order = new FairOrder();
    const low = order.place(goalOf('a', [{ priority: 'low' }]), new Map());
    const long = goalOf(
      'a',
      Array.from({ length: 20_000 }, () => ({})),
    );
    const normal = Math.max(...order.place(long, new Map()).values());
    expect(normal).toBeLessThan(Math.min(...low.values()));
  });

  it('puts what is added before what is less urgent', () => {
    const order = new FairOrder();
    const goal = goalOf('a', [{ expected: 1 }, { expected: 1_000 }, { expected: 10 }]);
    const before = order.place(goal, new Map());
    const added = taskSpecSchema.parse({
      id: 'task-999',
      name: 'added',
      capability: 'developer',
      priority: 'normal',
      expected: 100,
    });
    evolve(goal, {
      time: 2,
      project: 'a',
      goal: goal.id,
      event: { type: 'plan.grown', tasks: [added], awaited: false },
    });
    const [short, long, middle] = [...goal.tasks.keys()];
    const after = order.place(goal, before);
    expect([...after.keys()]).toEqual(['task-999']);
    expect(after.get('task-999')).toBeGreaterThan(before.get(long!)!);
    expect(after.get('task-999')).toBeLessThanOrEqual(before.get(middle!)!);
    expect(after.get('task-999')).toBeLessThan(before.get(short!)!);
  });
});

describe('sharing between projects', () => {
  it('lets a small goal take turns with a large one that came first', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.integer({ min: 1, max: 20 }), (before, size) => {
        const queue = new Queue();
        queue.submit(many('large', 1_000));
        queue.begin(before);
        const small = many('small', size);
        queue.submit(small);
        queue.begin(2 * size + 2);
        expect(queue.partOf([small], 2 * size + 2)).toBe(size);
      }),
      { numRuns: 20 },
    );
  });

  it('gives projects equal parts, also where one of them has many goals', () => {
    const queue = new Queue();
    const crowd = Array.from({ length: 60 }, () => many('crowd', 20));
    for (const goal of crowd) queue.submit(goal);
    const single = many('single', 1_000);
    queue.submit(single);
    queue.begin(1_000);
    expect(queue.partOf([single], 500)).toBeGreaterThan(200);
    expect(queue.partOf(crowd, 500)).toBeGreaterThan(200);
  });

  it('shares a project’s part among its goals', () => {
    const queue = new Queue();
    const [first, second] = [many('a', 500), many('a', 500)];
    const other = many('b', 500);
    queue.submit(first);
    queue.begin(10);
    queue.submit(other);
    queue.submit(second);
    queue.begin(300);
    expect(queue.partOf([second], 100)).toBeGreaterThan(15);
    expect(queue.partOf([other], 100)).toBeGreaterThan(30);
  });

  it('starves nobody by a goal that was held up for long', () => {
    const queue = new Queue();
    const late = many('late', 500);
    queue.submit(late, () => false);
    const busy = many('busy', 2_000);
    queue.submit(busy);
    queue.begin(600);
    expect(queue.partOf([busy], 600)).toBe(600);
    queue.release();
    queue.begin(200);
    expect(queue.partOf([busy], 100)).toBeGreaterThanOrEqual(45);
    expect(queue.partOf([late], 100)).toBeGreaterThanOrEqual(45);
  });

  it('changes nothing about what waits while only one project wants a capability', () => {
    const order = new FairOrder();
    const goal = many('a', 300);
    const ids = [...order.place(goal, new Map()).keys()];
    for (const id of ids.toReversed()) expect(order.began(goal.id, [id])).toEqual([]);
  });

  it('goes on where it was after a start, from the priorities that Redis has', () => {
    const queue = new Queue();
    const [large, small] = [many('large', 100), many('small', 4)];
    queue.submit(large);
    queue.begin(40);
    const present = new Map<string, number>();
    const before = new FairOrder().place(large, new Map());
    for (const [id, task] of large.tasks) {
      present.set(id, before.get(id)!);
      if (!queue.begun.some((begun) => begun.id === id)) continue;
      task.claims = 1;
      task.state = 'ACTIVE';
    }
    const started = new FairOrder();
    expect(started.place(large, present).size).toBe(0);
    const placed = [...started.place(small, new Map()).values()];
    expect(placed[0]).toBe(before.get([...large.tasks.keys()][39]!));
  });
});

describe('a lane', () => {
  it('keeps its tags below the horizon, and the order, however long it goes on', () => {
    const lane = new Lane('developer', 0, 64);
    const lines = [lane.open('a'), lane.open('b')];
    let queue: Slot[] = [];
    let number = 0;
    for (let round = 0; round < 200; round += 1) {
      const line = lines[round % 2]!;
      const fresh = Array.from({ length: 3 }, (): Slot => {
        number += 1;
        return { id: `${number}`, line, tag: Number.NaN, waiting: true };
      });
      lane.enter(line, [...line.slots.filter(({ waiting }) => waiting), ...fresh]);
      queue.push(...fresh);
      for (let begun = 0; begun < 3; begun += 1) {
        const first = queue.toSorted((a, b) => a.tag - b.tag)[0]!;
        const order = queue.map(({ id }) => id);
        const tags = queue.map(({ tag }) => tag);
        lane.began(first);
        for (const [index, slot] of queue.entries()) {
          expect(slot.tag).toBeLessThan(64);
          const earlier = queue.findIndex((_, at) => tags[at]! < tags[index]!);
          if (earlier >= 0) expect(queue[earlier]!.tag).toBeLessThanOrEqual(slot.tag);
        }
        expect(queue.map(({ id }) => id)).toEqual(order);
        queue = queue.filter((slot) => slot !== first);
      }
    }
  });
});
