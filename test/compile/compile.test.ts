/** Random graphs, compiled: every task once, after all its needs, and nothing that a chain does not need. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile as compileWith } from '../../src/compile/compile.js';
import { FairOrder } from '../../src/compile/fair-order.js';
import { evolve } from '../../src/core/evolve.js';
import { createGoal, type GoalView } from '../../src/core/goal.js';
import { type TaskSpec, taskSpecSchema } from '../../src/core/plan.js';
import type { JobTree } from '../../src/queues/flows.js';

function specs(needs: readonly (readonly number[])[]): TaskSpec[] {
  return needs.map((wanted, index) =>
    taskSpecSchema.parse({
      id: `task-${index + 1}`,
      name: `n${index}`,
      capability: 'developer',
      priority: 'normal',
      needs: wanted.map((need) => `task-${need + 1}`),
    }),
  );
}

function goalOf(tasks: TaskSpec[]): GoalView {
  const place = { time: 1, project: 'p', goal: 'goal-1' };
  const goal = createGoal({
    ...place,
    event: { type: 'goal.created', title: 'G', priority: 'normal' },
  });
  evolve(goal, { ...place, event: { type: 'goal.planned', tasks } });
  return goal;
}

const compile = (goal: GoalView, missing: ReadonlySet<string>, withRoot: boolean): JobTree[] =>
  compileWith(goal, missing, new FairOrder().place(goal, new Map()), withRoot);

/** Graphs in which a task needs only earlier ones, so they have no cycle. */
const graphs = fc
  .integer({ min: 1, max: 25 })
  .chain((size) =>
    fc.tuple(
      ...Array.from({ length: size }, (_, index) =>
        index === 0 ? fc.constant([]) : fc.uniqueArray(fc.nat(index - 1), { maxLength: 4 }),
      ),
    ),
  );

function flatten(trees: readonly JobTree[]): JobTree[] {
  const all: JobTree[] = [];
  const open = [...trees];
  for (let next = open.pop(); next; next = open.pop()) {
    all.push(next);
    open.push(...next.children);
  }
  return all;
}

/** Plays BullMQ: a job runs once its children are finished; a relay opens the gates of its task. */
function play(trees: readonly JobTree[]): string[] {
  const jobs = flatten(trees);
  const finished = new Set<string>();
  const order: string[] = [];
  for (let moved = true; moved;) {
    moved = false;
    for (const job of jobs) {
      const isGate = job.queue === 'gates';
      if (isGate || finished.has(job.id) || job.children.some(({ id }) => !finished.has(id)))
        continue;
      finished.add(job.id);
      moved = true;
      if (job.queue === 'relays')
        for (const gate of job.data['gates'] as string[]) finished.add(gate);
      else order.push(job.id);
    }
  }
  return order;
}

const all = (goal: GoalView): Set<string> => new Set(goal.tasks.keys());

describe('compile', () => {
  it('runs every task of a random graph exactly once, after all its needs, and the goal last', () => {
    fc.assert(
      fc.property(graphs, (needs) => {
        const goal = goalOf(specs(needs));
        const order = play(compile(goal, all(goal), true));
        expect([...order].toSorted()).toEqual([...goal.tasks.keys(), 'goal-1'].toSorted());
        expect(order.at(-1)).toBe('goal-1');
        for (const { spec } of goal.tasks.values()) {
          for (const need of spec.needs)
            expect(order.indexOf(need)).toBeLessThan(order.indexOf(spec.id));
        }
      }),
    );
  });

  it('uses ids once, and a gate for each further dependent only', () => {
    fc.assert(
      fc.property(graphs, (needs) => {
        const goal = goalOf(specs(needs));
        const jobs = flatten(compile(goal, all(goal), true));
        expect(new Set(jobs.map(({ id }) => id)).size).toBe(jobs.length);
        const further = [...goal.dependents.values()].map((dependents) =>
          Math.max(0, dependents.length - 1),
        );
        expect(jobs.filter(({ queue }) => queue === 'gates').length).toBe(
          further.reduce((a, b) => a + b, 0),
        );
        expect(jobs.filter(({ queue }) => queue === 'relays').length).toBe(
          further.filter(Boolean).length,
        );
      }),
    );
  });

  it('rebuilds what is left so that it runs as the whole would have', () => {
    fc.assert(
      fc.property(graphs, fc.nat(25), (needs, count) => {
        const goal = goalOf(specs(needs));
        const whole = play(compile(goal, all(goal), true));
        const done = whole.filter((id) => id !== 'goal-1').slice(0, count);
        for (const task of done) {
          evolve(goal, {
            time: 2,
            project: 'p',
            goal: 'goal-1',
            task,
            event: { type: 'task.completed', result: task },
          });
        }
        const left = new Set([...goal.tasks.keys()].filter((id) => !done.includes(id)));
        const jobs = compile(goal, left, true);
        expect(play(jobs).toSorted()).toEqual([...left, 'goal-1'].toSorted());
        for (const job of flatten(jobs).filter(({ id }) => left.has(id))) {
          const results = job.data['results'] as Record<string, unknown>;
          const needed = goal.tasks.get(job.id)!.spec.needs.filter((need) => !left.has(need));
          expect(results).toEqual(Object.fromEntries(needed.map((need) => [need, need])));
        }
      }),
    );
  });

  it('gives the critical path the lowest number, and urgency precedence over it', () => {
    const goal = goalOf(specs([[], [0], [1], []]));
    const priority = (id: string): number =>
      flatten(compile(goal, all(goal), true)).find((job) => job.id === id)!.options.priority;
    expect(priority('task-1')).toBeLessThan(priority('task-2'));
    expect(priority('task-2')).toBeLessThan(priority('task-3'));
    expect(priority('task-3')).toBeLessThan(priority('task-4'));
    const [urgent] = specs([[]]);
    const other = goalOf([{ ...urgent!, priority: 'urgent' }, ...specs([[], [0]]).slice(1)]);
    const first = flatten(compile(other, all(other), true)).find((job) => job.id === 'task-1')!;
    expect(first.options.priority).toBeLessThanOrEqual(524_288);
  });

  it('compiles a chain of 5,000 and a fan of 10,000', () => {
    const chain = goalOf(
      specs(Array.from({ length: 5_000 }, (_, index) => (index === 0 ? [] : [index - 1]))),
    );
    expect(flatten(compile(chain, all(chain), true)).length).toBe(5_001);
    const fan = goalOf(
      specs(Array.from({ length: 10_000 }, (_, index) => (index === 0 ? [] : [0]))),
    );
    expect(flatten(compile(fan, all(fan), true)).length).toBe(10_000 + 1 + 1 + 9_998);
  });
});
