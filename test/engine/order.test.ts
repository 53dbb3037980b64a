/** In which order the real engine begins tasks: along the critical path, and projects in turns. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Drover } from '../../src/index.js';
import { exportFlow, flowOfGoal } from '../../src/plan/export-flow.js';
import { parseFlow } from '../../src/plan/flow-file.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

const side = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `t${index}`, capability: 'developer' }));

const expectedIn = (drover: Drover, goal: string): Record<string, number | undefined> =>
  Object.fromEntries(
    [...drover.ledger.board.goal(goal)!.tasks.values()].map(({ spec }) => [
      spec.name,
      spec.expected,
    ]),
  );

describe('expected durations', () => {
  it('are given, or learned from what was done, also by an earlier supervisor', async () => {
    const dataDir = bed.folder();
    const drover = await bed.start({ dataDir });
    await drover.agent('developer', async (task) => {
      // A handler is called while its claim is being opened, which takes part of its time.
      await task.needs();
      await delay(task.name === 'slow' ? 120 : 1);
    });
    const flow = {
      title: 'Nightly',
      tasks: [
        { name: 'quick', capability: 'developer' },
        { name: 'slow', capability: 'developer' },
        { name: 'given', capability: 'developer', expected: 60_000 },
      ],
    };
    const first = await drover.enqueue(flow);
    expect(expectedIn(drover, first.id)).toEqual({ given: 60_000 });
    await first.done();
    const second = await drover.enqueue(flow);
    const learned = expectedIn(drover, second.id);
    expect(learned).toMatchObject({ given: 60_000, quick: expect.any(Number) });
    expect(learned['slow']).toBeGreaterThanOrEqual(100);
    for (const { name, activeAt, finishedAt } of (await first.report()).tasks.slice(0, 2)) {
      expect(learned[name]).toBe(finishedAt! - activeAt!);
    }
    // Whoever takes the plan over learns for himself.
    const exported = flowOfGoal(drover.ledger.board.goal(second.id)!);
    expect(exported.tasks.map(({ expected }) => expected)).toEqual([undefined, undefined, 60_000]);
    expect(parseFlow(exportFlow(exported), { file: 'a' }).flow.tasks).toHaveLength(3);
    await second.done();
    await drover.close();

    const next = await bed.start({ dataDir });
    const third = await next.enqueue(flow);
    expect(expectedIn(next, third.id)['slow']).toBeGreaterThanOrEqual(100);
    // What is known of the capability alone is better than nothing.
    const other = await next.enqueue({ title: 'Other', project: 'other', tasks: side(1) });
    expect(expectedIn(next, other.id)['t0']).toEqual(expect.any(Number));
  });

  it('decide which way goes first', async () => {
    const drover = await bed.start();
    const begun: string[] = [];
    const goal = await drover.enqueue({
      title: 'Ways',
      tasks: [
        { name: 'a1', capability: 'developer', expected: 10 },
        { name: 'a2', capability: 'developer', expected: 10, needs: ['a1'] },
        { name: 'b1', capability: 'developer', expected: 500 },
        { name: 'c1', capability: 'developer', expected: 10 },
        { name: 'c2', capability: 'developer', expected: 900, needs: ['c1'] },
      ],
    });
    await drover.agent('developer', ({ name }) => void begun.push(name), { concurrency: 1 });
    await goal.done();
    expect(begun).toEqual(['c1', 'c2', 'b1', 'a1', 'a2']);
  });
});

describe('a small goal beside a large one', () => {
  it('takes turns with it, also after a start of the supervisor', async () => {
    const dataDir = bed.folder();
    const prefix = `order${process.pid}`;
    const first = await bed.start({ dataDir, prefix });
    await first.enqueue({ title: 'Large', project: 'large', tasks: side(300) });
    await first.close();

    const drover = await bed.start({ dataDir, prefix });
    const small = await drover.enqueue({ title: 'Small', project: 'small', tasks: side(10) });
    const begun: string[] = [];
    await drover.agent('developer', ({ project }) => void begun.push(project), { concurrency: 1 });
    await small.done();
    expect(begun.slice(0, 20).filter((project) => project === 'small')).toHaveLength(10);
  });

  it('does not wait for a large one that was held up and begins late', async () => {
    const drover = await bed.start();
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await drover.agent('gatekeeper', async () => released);
    await drover.enqueue({
      title: 'Late',
      project: 'late',
      tasks: [
        { name: 'first', capability: 'gatekeeper' },
        ...side(200).map((task) => ({ ...task, needs: ['first'] })),
      ],
    });
    const begun: string[] = [];
    let seen = 0;
    drover.ledger.onCommit((changes) => {
      for (const { began } of changes.values()) seen += began.length;
    });
    await drover.agent(
      'developer',
      async ({ project }) => {
        begun.push(project);
        // Slow enough for the supervisor to see what begins.
        do await delay(5);
        while (begun.length - seen > 20);
      },
      { concurrency: 2 },
    );
    const busy = await drover.enqueue({ title: 'Busy', project: 'busy', tasks: side(120) });
    await expect.poll(() => begun.length, { timeout: 60_000 }).toBeGreaterThan(60);
    release();
    await busy.done();
    // All of the late ones were tagged before any of those that are left.
    expect(begun.filter((project) => project === 'late').length).toBeLessThan(150);
  }, 120_000);
});
