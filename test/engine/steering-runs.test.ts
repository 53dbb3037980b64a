/** Random sequences of what people ask, of goals that run: whatever comes in between, nothing is lost or doubled. */
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { TaskContext } from '../../src/agents/context.js';
import { DroverError } from '../../src/core/errors.js';
import type { PlannedTaskInput } from '../../src/core/plan.js';
import type { Drover } from '../../src/engine/drover.js';
import { audit } from '../../src/engine/audit/audit.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

/** More of them find what is rarer. */
const RUNS = Number(process.env['STEERING_RUNS'] ?? 12);

const work = (name: string, needs: string[], more: Partial<PlannedTaskInput> = {}) => ({
  name,
  capability: 'work',
  needs,
  retry: { attempts: 2, backoff: { type: 'fixed', delay: 5, jitter: 0 } as const },
  ...more,
});
const PLAN = [
  work('a', []),
  work('b', ['a'], { approve: 'before' }),
  work('c', ['a'], { wait: { signal: 'go' } }),
  work('d', ['b', 'c'], { optional: true, with: { fails: true } }),
  work('e', ['d', 'f'], { wait: { for: 5 } }),
  work('f', [], { concurrency: { key: 'one' } }),
  work('g', ['e', 'c'], { concurrency: { key: 'one' } }),
];

type Ask = (drover: Drover, goal: string, task: string) => Promise<unknown>;
const ASKS: Readonly<Record<string, Ask>> = {
  rerun: (drover, _, task) => drover.rerun(task),
  fork: (drover, _, task) => drover.rerun(task, { fork: true }),
  skip: (drover, _, task) => drover.skip(task),
  retry: (drover, _, task) => drover.retry(task),
  'retry from scratch': (drover, _, task) => drover.retry(task, '', { fromScratch: true }),
  cancel: (drover, _, task) => drover.cancel(task),
  'cancel and block': (drover, _, task) => drover.cancel(task, '', { dependents: 'block' }),
  'cancel and skip': (drover, _, task) => drover.cancel(task, '', { dependents: 'skip' }),
  'cancel the goal': (drover, goal) => drover.cancel(goal),
  approve: (drover, _, task) => drover.approve(task),
  reject: (drover, _, task) => drover.reject(task, 'no'),
  'reject for good': (drover, _, task) => drover.reject(task, 'no', { end: true }),
  edit: (drover, _, task) => drover.edit(task, { title: 'new', priority: 'high' }),
  add: (drover, goal, task) =>
    drover.addTasks(goal, [work(`after ${task} ${Math.random()}`, [task])]),
  signal: (drover, goal) => drover.signal(goal, 'go', 1),
  pause: (drover, goal) => drover.pause({ goal }),
  resume: (drover, goal) => drover.resume({ goal }),
};
const steps = fc.array(
  fc.record({
    /** Milliseconds after the one before: often none, so that they meet each other on their way. */
    after: fc.constantFrom(0, 0, 0, 2, 5, 15),
    what: fc.constantFrom(...Object.keys(ASKS)),
    task: fc.nat(PLAN.length - 1),
  }),
  { minLength: 1, maxLength: 12 },
);

it('leave every goal with one end for each task, and nothing that contradicts anything', async () => {
  const drover = await bed.start();
  /** Tasks that run now: no two workers ever have the same. */
  const running = new Set<string>();
  const doubled: string[] = [];
  const handle = async (task: TaskContext): Promise<string> => {
    if (running.has(task.id) && !task.signal.aborted) doubled.push(task.id);
    running.add(task.id);
    try {
      const needs = await task.needs();
      await delay(task.id.length % 3, undefined, { signal: task.signal });
      await task.step('once', () => task.id);
      if (task.with['fails']) throw new Error('It fails.');
      return Object.keys(needs).toSorted().join();
    } finally {
      running.delete(task.id);
    }
  };
  await drover.agent('work', handle, { concurrency: 4 });
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const goal = await drover.enqueue({ title: 'Random', tasks: PLAN });
      const ids = (await goal.report()).tasks.map(({ id }) => id);
      let at = 0;
      const asked = sequence.map(async ({ after, what, task }) => {
        at += after;
        await delay(at);
        await ASKS[what]!(drover, goal.id, ids[task]!).catch(refused);
      });
      await Promise.all(asked);
      await letGo(drover);
      expect(doubled).toEqual([]);
      for (const { id } of goals(drover)) judge(drover, id);
      await expect.poll(() => disagreements(drover)).toEqual([]);
    }),
    { numRuns: RUNS },
  );
  expect(bed.errors).toEqual([]);
});

/** What does not fit the present state is refused; anything else is a fault. */
function refused(error: unknown): void {
  if (!(error instanceof DroverError) || !['conflict', 'bad-input'].includes(error.code))
    throw error;
}

const goals = (drover: Drover) =>
  drover.ledger.board.inState('OPEN', 'SETTLED', 'DONE', 'CANCELLED');

/** Answers whatever still waits for people, until nothing is under way any more. */
async function letGo(drover: Drover): Promise<void> {
  for (;;) {
    const open = drover.ledger.board.inState('OPEN');
    if (open.length === 0) return;
    for (const { id, paused, tasks } of open) {
      if (paused) await drover.resume({ goal: id }).catch(refused);
      await drover.signal(id, 'go', 2).catch(refused);
      for (const { spec, gates } of tasks.values()) {
        const waits = gates.some(({ kind, open: isOpen }) => kind === 'approval' && !isOpen);
        if (waits) await drover.approve(spec.id).catch(refused);
      }
    }
    await delay(10);
  }
}

/** Each task ended once for each time that it was begun anew, and ran with all of its needs. */
function judge(drover: Drover, id: string): void {
  const goal = drover.ledger.board.goal(id)!;
  const ends = new Map<string, number>();
  for (const { event, task } of drover.ledger.log.events({ goal: id })) {
    if (event.type === 'task.completed') ends.set(task!, (ends.get(task!) ?? 0) + 1);
  }
  for (const [task, { spec, state, result, generation }] of goal.tasks) {
    expect({ task, ends: ends.get(task) ?? 0 }).toSatisfy(
      ({ ends: count }: { ends: number }) => count <= generation,
    );
    const names = spec.needs.map((need) => goal.tasks.get(need)!.spec.name);
    if (state === 'DONE')
      expect({ task, result }).toEqual({ task, result: names.toSorted().join() });
  }
}

async function disagreements(drover: Drover): Promise<readonly unknown[]> {
  const { log } = drover.ledger;
  const redis = { client: drover.connection.client, prefix: drover.prefix };
  return (await audit({ log, redis, running: true })).disagreements;
}
