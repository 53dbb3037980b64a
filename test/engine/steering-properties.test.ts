/** Random sequences of what people ask and what queues say, held against what must be true whatever they are. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { DroverError } from '../../src/core/errors.js';
import type { Event } from '../../src/core/events.js';
import { createGoal, type GoalView } from '../../src/core/goal.js';
import { evolve } from '../../src/core/evolve.js';
import { isFinal } from '../../src/core/task-state.js';
import { auditHistory } from '../../src/engine/audit/history.js';
import { decide } from '../../src/engine/decisions/decide.js';
import { Ledger } from '../../src/engine/recording/ledger.js';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';
import { checkCron, nextDue } from '../../src/queues/cron.js';

const root = mkdtempSync(join(tmpdir(), 'drover-steering-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const calendar = { check: checkCron, next: nextDue };

const work = (name: string, needs: string[], more: object = {}) => ({
  name,
  capability: 'work',
  needs,
  ...more,
});
const plan = [
  work('a', []),
  work('b', ['a'], { approve: { deadline: 1 } }),
  work('c', ['a'], { wait: { signal: 'go' } }),
  work('d', ['b', 'c'], { optional: true }),
  work('e', ['d'], { wait: { for: 5 } }),
  work('f', []),
];

const task = fc.integer({ min: 1, max: 6 }).map((number) => `task-${number}`);
const requests = fc.oneof(
  task.map((id) => ['rerun', { task: id }] as const),
  task.map((id) => ['skip', { task: id }] as const),
  task.map((id) => ['retry', { task: id, fromScratch: true }] as const),
  fc
    .tuple(task, fc.constantFrom('cancel', 'block', 'skip'))
    .map(([id, dependents]) => ['cancelTask', { task: id, dependents }] as const),
  task.map((id) => ['approve', { id }] as const),
  task.map((id) => ['reject', { id, note: 'no', end: true }] as const),
  task.map((id) => ['edit', { task: id, changes: { title: 'new' } }] as const),
  fc
    .tuple(task, fc.constantFrom('approval', 'timer', 'signal'))
    .map(([id, gate]) => ['gate', { goal: 'goal-1', task: id, gate }] as const),
  fc.constant(['signal', { goal: 'goal-1', name: 'go', data: 1 }] as const),
  fc.constantFrom('pause', 'resume').map((name) => [name, { goal: 'goal-1' }] as const),
  fc.constant(['add', { goal: 'goal-1', tasks: [work('more', ['task-1'])] }] as const),
);
/** One task that can, runs to its end. */
const runs = fc
  .tuple(task, fc.boolean())
  .map(([id, passes]) => ['run', { task: id, passes }] as const);

it('keeps the fold true, the rows equal to it, and the history without contradictions', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(requests, runs), { maxLength: 30 }), (steps) => {
      const ledger = new Ledger(Log.open(mkdtempSync(join(root, 'data-'))));
      decide(ledger, { name: 'enqueue', input: { title: 'G', tasks: plan }, by: 'me' }, calendar);
      for (const [name, input] of steps) {
        const before = snapshot(ledger);
        if (name === 'run') run(ledger, input.task, input.passes);
        else ask(ledger, name, input);
        judge(ledger, before);
      }
      const { found } = auditHistory('goal-1', ledger.log.events({ goal: 'goal-1' }));
      expect(found).toEqual([]);
      ledger.log.close();
    }),
    { numRuns: 60 },
  );
});

/** A request that is refused changes nothing. */
function ask(ledger: Ledger, name: string, input: object): void {
  const last = ledger.log.lastSeq();
  try {
    decide(ledger, { name, input, by: 'me' }, calendar);
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    expect(ledger.log.lastSeq()).toBe(last);
  }
}

function run(ledger: Ledger, id: string, passes: boolean): void {
  const goal = ledger.board.goal('goal-1')!;
  const found = goal.tasks.get(id);
  if (found?.state !== 'PENDING') return;
  const end: Event = passes
    ? { type: 'task.completed', result: id }
    : { type: 'task.failed', reason: 'no' };
  for (const event of [{ type: 'task.assigned' } as const, end]) {
    ledger.commit([{ time: Date.now(), project: goal.project, goal: goal.id, task: id, event }]);
  }
}

const snapshot = (ledger: Ledger): Map<string, { claims: number; generation: number }> =>
  new Map(
    [...ledger.board.goal('goal-1')!.tasks].map(([id, { claims, generation }]) => [
      id,
      { claims, generation },
    ]),
  );

function judge(ledger: Ledger, before: ReturnType<typeof snapshot>): void {
  const goal = ledger.board.goal('goal-1')!;
  expect(loadGoal(ledger.log.db, 'goal-1')).toEqual(goal);
  expect(folded(ledger)).toEqual(goal);
  for (const [id, { spec, state, openNeeds, gates, claims, generation, released }] of goal.tasks) {
    expect(claims).toBeGreaterThanOrEqual(before.get(id)?.claims ?? 0);
    expect(generation).toBeGreaterThanOrEqual(before.get(id)?.generation ?? 1);
    const open = spec.needs.filter((need) => !goal.tasks.get(need)!.released).length;
    expect(openNeeds).toBe(open + gates.filter((gate) => !gate.open).length);
    // Nothing starts before everything that it waits for is there.
    if (!isFinal(state)) expect(state === 'BACKLOG').toBe(openNeeds > 0);
    if (state === 'DONE') expect(released).toBe(true);
  }
  const counted = Object.values(goal.counts).reduce((sum, count) => sum + count, 0);
  expect(counted).toBe(goal.tasks.size);
}

function folded(ledger: Ledger): GoalView {
  let goal: GoalView | undefined;
  for (const entry of ledger.log.events({ goal: 'goal-1' })) {
    if (entry.event.type === 'goal.created') goal = createGoal({ ...entry, event: entry.event });
    evolve(goal!, entry);
  }
  return goal!;
}
