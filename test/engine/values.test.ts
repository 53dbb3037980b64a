/** Values that agents hand in and that are no JSON. */
import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/index.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const retry = { attempts: 3, backoff: { type: 'fixed', delay: 0 } } as const;

/** What becomes of a task with such a handler, and how often it was called. */
async function outcomeOf(handler: (task: TaskContext) => unknown) {
  let calls = 0;
  const drover = await bed.start();
  await drover.agent('work', (task) => {
    calls += 1;
    return handler(task);
  });
  const goal = await drover.enqueue({
    title: 'Any',
    tasks: [{ name: 'a', capability: 'work', retry }],
  });
  const { tasks } = await goal.done();
  return { ...tasks[0], calls };
}

describe('what is no JSON', () => {
  it.each<[string, (task: TaskContext) => unknown, string]>([
    [
      'as a result',
      () => ({ files: new Map([['a', 1]]) }),
      'The result of task-1 is not JSON: ‘files’ is of the class Map, whose content JSON leaves out. Make an object of it',
    ],
    [
      "as a step's result",
      (task) => task.step('mean', () => ({ of: [0 / 0] })),
      'The result of step ‘mean’ of task-1 is not JSON: ‘of.0’ is NaN. Write null or a text in its place.',
    ],
    [
      'as progress',
      (task) => task.progress(1n as never),
      'The progress of task-1 is not JSON: it is a big integer.',
    ],
    [
      'as a promise that fails, which ends no process,',
      () => ({ rows: Promise.reject(new Error('no rows')) }),
      'The result of task-1 is not JSON: ‘rows’ is of the class Promise, whose content JSON leaves out. Wait for it with await.',
    ],
    [
      'as progress of more than 64 KiB',
      (task) => task.progress('x'.repeat(64 * 1024)),
      'The progress of task-1 has 65538 bytes of JSON',
    ],
    [
      'as added tasks',
      (task) => task.addTasks(undefined as never),
      'task-1 adds tasks that are no list. Write addTasks([{ name, capability }]).',
    ],
  ])('%s fails the task at once', async (_, handler, error) => {
    expect(await outcomeOf(handler)).toMatchObject({
      state: 'FAILED',
      error: expect.stringContaining(error),
      calls: 1,
    });
  });

  it('is nothing that is undefined: results, items and fields', async () => {
    const nothing = undefined;
    expect(await outcomeOf(() => nothing)).toMatchObject({ state: 'DONE', result: null });
    expect(await outcomeOf(() => ({ a: nothing, b: [nothing] }))).toMatchObject({
      state: 'DONE',
      result: { b: [null] },
    });
  });
});

it('reads large results by the handle, which a report only names', async () => {
  const drover = await bed.start();
  const rows = Array.from({ length: 20_000 }, (_, id) => ({ id }));
  await drover.agent('work', ({ name }) => (name === 'large' ? rows : 7));
  const names = ['large', 'small'];
  const goal = await drover.enqueue({
    title: 'Any',
    tasks: names.map((name) => ({ name, capability: 'work' })),
  });
  const [large, small] = (await goal.done()).tasks;
  expect(large!.result).toEqual({ $result: expect.any(String), bytes: expect.any(Number) });
  expect(await goal.result(large!.id)).toEqual(rows);
  expect(await goal.result(small!.id)).toBe(7);
  await expect(goal.result('task-9')).rejects.toMatchObject({ code: 'not-found' });
});

describe('a step', () => {
  it('may return nothing, which is null, and what no index signature describes', async () => {
    interface Row {
      readonly id: number;
    }
    const outcome = await outcomeOf(async (task) => {
      const nothing = await task.step('send', async () => undefined);
      const row = await task.step('read', (): Row => ({ id: 7 }));
      return [nothing, row.id];
    });
    expect(outcome).toMatchObject({ state: 'DONE', result: [null, 7] });
  });

  it('without a function is refused', async () => {
    expect(await outcomeOf((task) => task.step('send', undefined as never))).toMatchObject({
      state: 'FAILED',
      error: 'Step ‘send’ of task-1 has no function to run. Write step(name, () => …).',
      calls: 1,
    });
  });

  it.each<[string, unknown, string]>([
    ['no name', '', '""'],
    ['a long name', 'x'.repeat(201), `"${'x'.repeat(80)}"`],
    ['control characters in its name', 'a\u001b[2J\n', String.raw`"a\u001b[2J\n"`],
    ['a number in place of a name', 1, 'with a number'],
  ])('with %s is refused', async (_, name, shown) => {
    let ran = false;
    const outcome = await outcomeOf((task) =>
      task.step(name as string, () => {
        ran = true;
        return null;
      }),
    );
    expect(outcome).toMatchObject({
      state: 'FAILED',
      error: `A step of task-1 cannot be named ${shown}. Give it a name of 1 to 200 characters, none of them a control character.`,
      calls: 1,
    });
    expect(ran).toBe(false);
  });
});
