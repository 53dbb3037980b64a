/** Estimates of a goal's end: from what the log and the plan know, and how many agents there are. */
import { expect, test } from 'vitest';
import type { Limit } from '../../src/core/limits.js';
import type { PausedPlace } from '../../src/core/hold.js';
import { type Kind, type Learned } from '../../src/projections/durations.js';
import { type Estimate, estimate } from '../../src/projections/estimate.js';
import { reportOf } from '../../src/projections/report.js';
import { GoalMaker, START, taskSpec } from './goals.js';

const SECOND = 1_000;

/** A diamond: one, three, one; each task takes ten seconds as planned. */
const diamond = (takes: number | null = 10 * SECOND) => {
  const expected = takes === null ? {} : { expected: takes };
  const middle = ['task-2', 'task-3', 'task-4'];
  return new GoalMaker('goal-1', 'Diamond', [
    taskSpec('task-1', expected),
    ...middle.map((id) => taskSpec(id, { needs: ['task-1'], ...expected })),
    taskSpec('task-5', { needs: middle, ...expected }),
  ]);
};

interface About {
  agents?: number;
  /** Seconds after the goal was created. */
  after?: number;
  learned?: (kind: Kind) => Learned | undefined;
  pauses?: readonly PausedPlace[];
  supervised?: boolean;
  limits?: readonly Limit[];
}

const ask = (
  { goal }: GoalMaker,
  {
    agents,
    after = 0,
    learned = () => undefined,
    pauses = [],
    supervised = true,
    limits = [],
  }: About = {},
): Estimate =>
  estimate(goal, {
    learned,
    pauses,
    limits,
    supervised,
    agents: agents === undefined ? undefined : new Map([['developer', agents]]),
    now: START + after * SECOND,
  });

test('the longest path, or the work shared among the agents, whichever is longer', () => {
  expect(ask(diamond(), { agents: 9 })).toMatchObject({ percent: 0, remaining: 30 * SECOND });
  expect(ask(diamond(), { agents: 1 }).remaining).toBe(50 * SECOND);
  expect(ask(diamond()).remaining).toBe(50 * SECOND);
  const { endsAt, basis } = ask(diamond(), { agents: 2, after: 5 });
  expect(endsAt).toBe(START + 5 * SECOND + 30 * SECOND);
  expect(basis).toMatchObject({ given: 5, slots: { developer: 2 }, text: '5 tasks as planned' });
});

test('no faster than the key lets them that several tasks use', () => {
  const one = (id: string, limit: number) =>
    taskSpec(id, { expected: 10 * SECOND, concurrency: { key: 'database', limit } });
  const tasks = [one('task-1', 2), one('task-2', 1), one('task-3', 2)];
  // The smallest limit that a task says of its key counts.
  expect(ask(new GoalMaker('goal-1', 'Migrate', tasks), { agents: 9 }).remaining).toBe(30 * SECOND);
});

test('no faster than limits allow', () => {
  const bounded = (limit: Limit): number | null =>
    ask(diamond(), { agents: 9, limits: [limit] }).remaining;
  const scope = { scope: 'capability', name: 'developer' } as const;
  expect(bounded({ ...scope, concurrency: 1, rate: null })).toBe(50 * SECOND);
  expect(bounded({ ...scope, concurrency: null, rate: { max: 1, per: 20 * SECOND } })).toBe(
    80 * SECOND,
  );
  const project = diamond().goal.project;
  expect(bounded({ scope: 'project', name: project, concurrency: 1 })).toBe(50 * SECOND);
  expect(bounded({ scope: 'project', name: 'another', concurrency: 1 })).toBe(30 * SECOND);
});

test('without a supervisor no end can be told', () => {
  expect(ask(diamond(), { agents: 2, supervised: false })).toMatchObject({
    remaining: null,
    endsAt: null,
    basis: { text: 'no supervisor runs' },
  });
});

test('what is done is done, what runs is under way, and what is late needs a little still', () => {
  // Begun in second 5, after the first task's three events.
  const goal = diamond().complete('task-1').start('task-2');
  expect(ask(goal, { agents: 9, after: 10 })).toMatchObject({
    percent: 28,
    remaining: 20 * SECOND,
  });
  expect(ask(goal, { agents: 9, after: 60 })).toMatchObject({ percent: 38 });
  expect(ask(goal.complete('task-3').complete('task-4'), { agents: 9, after: 60 }).remaining).toBe(
    11 * SECOND,
  );
});

test('earlier runs of the same task count more than the plan, the plan more than other tasks', () => {
  const runs = (isOfTask: boolean) => (): Learned => ({ took: 2 * SECOND, runs: 7, isOfTask });
  const own = ask(diamond(), { agents: 9, learned: runs(true) });
  expect(own.remaining).toBe(6 * SECOND);
  expect(own.basis.text).toBe('from up to 7 earlier runs of each task');
  expect(ask(diamond(), { agents: 9, learned: runs(false) }).remaining).toBe(30 * SECOND);
  const others = ask(diamond(null), { agents: 9, learned: runs(false) });
  expect(others.remaining).toBe(6 * SECOND);
  expect(others.basis).toMatchObject({ learned: 0, runs: 0, similar: 5 });
  expect(others.basis.text).toBe('5 tasks as others of their capability');
});

test('without any history nothing is told but how much is done', () => {
  const goal = diamond(null).complete('task-1');
  expect(ask(goal, { agents: 2 })).toMatchObject({
    percent: 20,
    remaining: null,
    endsAt: null,
    basis: { text: 'no history', unknown: 4 },
  });
});

test('tasks of which nothing is known are taken for average ones', () => {
  const goal = new GoalMaker('goal-1', 'Chain', [
    taskSpec('task-1', { expected: 4 * SECOND }),
    taskSpec('task-2', { needs: ['task-1'], expected: 8 * SECOND }),
    taskSpec('task-3', { needs: ['task-2'] }),
  ]);
  expect(ask(goal)).toMatchObject({
    remaining: 18 * SECOND,
    basis: { text: '2 tasks as planned, 1 task unknown' },
  });
});

test('an end that needs agents which nobody runs cannot be told, nor that of a goal that is stuck', () => {
  expect(ask(diamond(), { agents: 0 })).toMatchObject({
    remaining: null,
    basis: { text: 'nobody offers developer' },
  });
  expect(ask(diamond().fail('task-1', 'no'), { agents: 2 })).toMatchObject({ remaining: null });
  const done = new GoalMaker('goal-1', 'One', [taskSpec('task-1')]).complete('task-1');
  expect(ask(done)).toMatchObject({ percent: 100, remaining: null });
});

test('an end cannot be told while what is still to begin is paused, and that is said', () => {
  const told = (maker: GoalMaker, ...pauses: PausedPlace[]) => {
    const { remaining, basis } = ask(maker, { agents: 9, pauses });
    return remaining ?? basis.text;
  };
  const one = () => new GoalMaker('goal-1', 'One', [taskSpec('task-1', { expected: 10 * SECOND })]);
  expect(told(one().add({ type: 'goal.paused' }))).toBe('goal-1 is paused');
  expect(told(one(), { kind: 'project', name: 'demo' })).toBe('project demo is paused');
  expect(told(one(), { kind: 'capability', name: 'developer' })).toBe(
    'capability developer is paused',
  );
  const elsewhere = [
    { kind: 'project', name: 'developer' },
    { kind: 'capability', name: 'demo' },
  ] as const;
  expect(told(one(), ...elsewhere)).toBe(10 * SECOND);
  // What runs goes on.
  const running = one().start('task-1').add({ type: 'goal.paused' });
  expect(told(running, { kind: 'project', name: 'demo' })).toEqual(expect.any(Number));
});

test('agents that were seen to work side by side count, also where there are fewer of them', () => {
  const goal = diamond().complete('task-1').start('task-2').start('task-3');
  expect(ask(goal, { agents: 1 }).basis.slots).toEqual({ developer: 2 });
});

test('the report names what each task waits for', () => {
  const goal = diamond().complete('task-1').complete('task-2');
  expect(reportOf(goal.goal).tasks.map(({ waitsFor }) => waitsFor)).toEqual([
    [],
    [],
    [],
    [],
    ['task-3', 'task-4'],
  ]);
});
