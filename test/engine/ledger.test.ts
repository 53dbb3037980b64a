/** Invariants 1 and 3: what is stored is what the events fold to, at every commit and after every rollback. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { sql } from 'drizzle-orm';
import { afterAll, describe, expect, it } from 'vitest';
import type { Event, NewEvent } from '../../src/core/events.js';
import { evolve } from '../../src/core/evolve.js';
import { createGoal, type GoalView } from '../../src/core/goal.js';
import { taskSpecSchema } from '../../src/core/plan.js';
import { Ledger } from '../../src/engine/recording/ledger.js';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';

const root = mkdtempSync(join(tmpdir(), 'drover-ledger-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const open = (): Ledger => new Ledger(Log.open(mkdtempSync(join(root, 'data-'))));

const spec = (goal: number, id: number, needs: number[]) =>
  taskSpecSchema.parse({
    id: `task-${goal * 10 + id}`,
    name: `n${id}`,
    capability: 'developer',
    priority: 'normal',
    needs: needs.map((need) => `task-${goal * 10 + need}`),
  });

function start(goal: number): NewEvent[] {
  const place = { time: 1, project: 'p', goal: `goal-${goal}` };
  const tasks = [spec(goal, 1, []), spec(goal, 2, [1]), spec(goal, 3, [1]), spec(goal, 4, [2, 3])];
  return [
    { ...place, event: { type: 'goal.created', title: 'G', priority: 'high' } },
    { ...place, event: { type: 'goal.planned', tasks } },
  ];
}

/** Folded from scratch, from what the log holds. */
function folded(ledger: Ledger, id: string): GoalView {
  const [first, ...rest] = [...ledger.log.events({ goal: id })];
  const { event } = first!;
  if (event.type !== 'goal.created') throw new Error('a goal begins with its creation');
  const goal = createGoal({ ...first!, event });
  for (const entry of rest) evolve(goal, entry);
  return goal;
}

const kinds: Event[] = [
  { type: 'task.queued' },
  { type: 'task.queued', from: 'failed' },
  { type: 'task.assigned' },
  { type: 'task.active', agent: 'a', attempt: 1 },
  { type: 'task.progressed', progress: { percent: 7 } },
  { type: 'task.retrying', until: 77 },
  { type: 'task.completed', result: { value: [1, 'ü', null] } },
  { type: 'task.completed', result: null },
  { type: 'task.failed', reason: 'no' },
];

/** Batches of events for two goals; some end in a rollback. */
const histories = fc.array(
  fc.record({
    broken: fc.boolean(),
    events: fc.array(
      fc.tuple(fc.constantFrom(1, 2), fc.integer({ min: 1, max: 4 }), fc.constantFrom(...kinds)),
      {
        maxLength: 8,
      },
    ),
  }),
  { maxLength: 8 },
);

describe('the ledger', () => {
  it('stores what the log folds to, also after batches that were rolled back', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const ledger = open();
        ledger.commit([...start(1), ...start(2)]);
        let time = 1;
        for (const { broken, events } of history) {
          const batch: NewEvent[] = events.map(([goal, task, event]) => ({
            time: (time += 1),
            project: 'p',
            goal: `goal-${goal}`,
            task: `task-${goal * 10 + task}`,
            event,
          }));
          const last = ledger.log.lastSeq();
          // The same origin twice breaks the whole batch.
          const origin = { queue: 'developer', entry: '1-1' };
          const twice = [
            { ...start(1)[0]!, origin },
            { ...start(1)[0]!, origin },
          ];
          if (broken) expect(() => ledger.commit([...batch, ...twice])).toThrow();
          else ledger.commit(batch);
          if (broken) expect(ledger.log.lastSeq()).toBe(last);
          for (const id of ['goal-1', 'goal-2']) {
            const fromLog = folded(ledger, id);
            expect(loadGoal(ledger.log.db, id)).toEqual(fromLog);
            expect(ledger.board.goal(id)).toEqual(fromLog);
          }
        }
        ledger.log.close();
      }),
      { numRuns: 40 },
    );
  });

  it('records the end of a goal with the event that ended it, once', () => {
    const ledger = open();
    ledger.commit(start(1));
    const done = (task: number): NewEvent => ({
      time: 5,
      project: 'p',
      goal: 'goal-1',
      task: `task-1${task}`,
      event: { type: 'task.completed', result: 1 },
    });
    const { events } = ledger.commit([done(1), done(2), done(3), done(4), done(4)]);
    expect(
      events.map(({ event }) => event.type).filter((type) => type === 'goal.completed').length,
    ).toBe(1);
    expect(loadGoal(ledger.log.db, 'goal-1')!.state).toBe('DONE');
    ledger.log.close();
  });

  it('has recorded what a listener then chokes on, and says so', async () => {
    const ledger = open();
    const warned = new Promise<Error>((resolve) => {
      process.once('warning', resolve);
    });
    const heard: number[] = [];
    ledger.onCommit(() => {
      throw new Error('choked');
    });
    ledger.onCommit(({ events }) => heard.push(events.length));
    expect(ledger.commit(start(1)).events).toHaveLength(2);
    expect(heard).toEqual([2]);
    expect((await warned).message).toBe('choked');
    expect(ledger.log.lastSeq()).toBe(2);
    ledger.log.close();
  });

  it('holds finished goals until their jobs have left Redis, and finds them afterwards', () => {
    const ledger = open();
    const end = (event: Event): void => {
      ledger.commit([{ time: 2, project: 'p', goal: 'goal-1', event }]);
    };
    ledger.commit(start(1));
    end({ type: 'goal.cancelled' });
    const held = ledger.board.goal('goal-1');
    expect(held?.state).toBe('CANCELLED');
    expect(ledger.board.goal('goal-1')).toBe(held);
    end({ type: 'goal.evicted' });
    const found = ledger.board.goalOf('task-12')!;
    expect(found).toMatchObject({ state: 'CANCELLED', evicted: true });
    expect(found).not.toBe(held);
    expect(ledger.board.goal('goal-1')).not.toBe(found);
    ledger.log.close();
  });

  it('holds no more than the latest of many finished goals', () => {
    const ledger = open();
    const big = (number: number): NewEvent[] => {
      const at = { time: number, project: 'p', goal: `goal-${number}` };
      const tasks = Array.from({ length: 2_000 }, (_, index) => spec(number * 1_000, index, []));
      return [
        { ...at, event: { type: 'goal.created', title: 'G', priority: 'normal' } },
        { ...at, event: { type: 'goal.planned', tasks } },
        { ...at, event: { type: 'goal.cancelled' } },
      ];
    };
    for (const number of [1, 2, 3]) ledger.commit(big(number));
    const isHeld = (goal: string): boolean => ledger.board.goal(goal) === ledger.board.goal(goal);
    expect(['goal-1', 'goal-2', 'goal-3'].map(isHeld)).toEqual([false, true, true]);
    ledger.log.close();
  });

  it('tells where a task of a finished goal belongs without reading its other tasks', () => {
    const ledger = open();
    ledger.commit(start(1));
    const place = { project: 'p', goal: 'goal-1', generation: 1 };
    expect(ledger.board.placeOf('task-12')).toEqual(place);
    for (const type of ['goal.cancelled', 'goal.evicted'] as const) {
      ledger.commit([{ time: 2, project: 'p', goal: 'goal-1', event: { type } }]);
    }
    ledger.log.db.run(sql`UPDATE tasks SET spec = '{' WHERE id = 'task-13'`);
    expect(() => ledger.board.goal('goal-1')).toThrow();
    expect(ledger.board.placeOf('task-12')).toEqual(place);
    expect(ledger.board.placeOf('task-999')).toBeUndefined();
    ledger.log.close();
  });
});
