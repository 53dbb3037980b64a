/** Invariant 4, where a handler ends before what it began. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { testBed } from '../support/redis.js';

const bed = testBed();
const retry = { attempts: 2, backoff: { type: 'fixed', delay: 0 } } as const;

it('lets a step end that runs beside one that failed, and does not run it again', async () => {
  const drover = await bed.start();
  let runs = 0;
  await drover.agent('developer', (task) =>
    Promise.all([
      task.step('slow', async () => {
        runs += 1;
        await delay(200);
        return runs;
      }),
      task.step('quick', () => {
        if (task.attempt === 1) throw new Error('not yet');
        return 'at last';
      }),
    ]),
  );
  const goal = await drover.enqueue({
    title: 'Beside',
    tasks: [{ name: 'both', capability: 'developer', retry }],
  });
  const { tasks } = await goal.done();
  expect(tasks[0]).toMatchObject({ state: 'DONE', result: [1, 'at last'] });
  expect(runs).toBe(1);
});

it('waits for a step that a handler forgot', async () => {
  const drover = await bed.start();
  await drover.agent('developer', (task) => {
    void task.step('forgotten', async () => {
      await delay(100);
      if (task.name === 'bad') throw new Error('the forgotten step failed');
      return 1;
    });
    return 'returned';
  });
  const goal = await drover.enqueue({
    title: 'Forgotten',
    tasks: ['good', 'bad'].map((name) => ({
      name,
      capability: 'developer',
      retry: { attempts: 1 },
    })),
  });
  const { tasks } = await goal.done();
  expect(tasks.map(({ state, error }) => [state, error])).toEqual([
    ['DONE', null],
    ['FAILED', 'the forgotten step failed'],
  ]);
  const steps = [];
  for await (const { task, event } of goal.events())
    if (event.type === 'step.done') steps.push([task, event.step]);
  expect(steps).toEqual([['task-1', 'forgotten']]);
});
