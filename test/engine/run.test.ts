/** A goal runs through BullMQ to the log: the loop's ways to end, and what the log then says. */
import { describe, expect, it } from 'vitest';
import type { Drover } from '../../src/index.js';
import type { GoalRequest } from '../../src/engine/decisions/enqueue.js';
import type { TaskContext } from '../../src/agents/context.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const quick = { attempts: 3, backoff: { type: 'fixed', delay: 20, jitter: 0 } } as const;

async function eventTypes(drover: Drover, goal: string, task?: string): Promise<string[]> {
  return [...drover.ledger.log.events({ goal, ...(task && { task }) })].map(
    ({ event }) => event.type,
  );
}

const plan = (tasks: GoalRequest['tasks']): GoalRequest => ({ title: 'A goal', tasks });

describe('a goal', () => {
  it('runs a diamond in order and hands results on by name', async () => {
    const drover = await bed.start();
    const order: string[] = [];
    await drover.agent('developer', async (task) => {
      order.push(task.name);
      return { name: task.name, saw: Object.keys(await task.needs()).toSorted() };
    });
    const goal = await drover.enqueue(
      plan([
        { name: 'top', capability: 'developer' },
        { name: 'left', capability: 'developer', needs: ['top'] },
        { name: 'right', capability: 'developer', needs: ['top'] },
        { name: 'join', capability: 'developer', needs: ['left', 'right', 'top'] },
      ]),
    );
    const report = await goal.done();
    expect(report.text).toBe('Done! 4/4 tasks complete');
    expect(order[0]).toBe('top');
    expect(order[3]).toBe('join');
    expect(report.tasks[3]!.result).toEqual({ name: 'join', saw: ['left', 'right', 'top'] });
    expect((await eventTypes(drover, goal.id)).at(-1)).toBe('goal.completed');
  });

  it('gives the same goal for the same key, and refuses a cycle with its path', async () => {
    const drover = await bed.start();
    const first = await drover.enqueue({
      ...plan([{ name: 'a', capability: 'developer' }]),
      key: 'k',
    });
    const again = await drover.enqueue({
      ...plan([{ name: 'b', capability: 'developer' }]),
      key: 'k',
    });
    expect(again.id).toBe(first.id);
    expect(again.created).toBe(false);
    expect(first.waitingFor).toEqual(['developer']);
    await expect(
      drover.enqueue(
        plan([
          { name: 'a', capability: 'developer', needs: ['b'] },
          { name: 'b', capability: 'developer', needs: ['a'] },
        ]),
      ),
    ).rejects.toThrow(/a → b → a|b → a → b/);
  });

  it('streams its events to the end', async () => {
    const drover = await bed.start();
    await drover.agent('developer', () => 1);
    const goal = await drover.enqueue(plan([{ name: 'a', capability: 'developer' }]));
    const types: string[] = [];
    for await (const { event } of goal.events()) types.push(event.type);
    expect(types).toEqual([
      'goal.created',
      'goal.planned',
      'task.queued',
      'task.assigned',
      'context.built',
      'task.active',
      'task.completed',
      'goal.completed',
    ]);
  });
});

describe('an attempt', () => {
  it('that fails is repeated after its backoff, with the error as context', async () => {
    const drover = await bed.start();
    const seen: (string | undefined)[] = [];
    await drover.agent('developer', (task) => {
      seen.push(task.lastError);
      if (task.attempt < 3) throw new Error(`no ${task.attempt}`);
      return 'yes';
    });
    const goal = await drover.enqueue(plan([{ name: 'a', capability: 'developer', retry: quick }]));
    const report = await goal.done();
    expect(report.state).toBe('DONE');
    expect(seen).toEqual([undefined, 'no 1', 'no 2']);
    expect(report.tasks[0]).toMatchObject({ attempts: 3, claims: 3, state: 'DONE' });
  });

  it('that fails for good leaves the goal stuck and names the ancestor; a retry lets it go on', async () => {
    const drover = await bed.start();
    let broken = true;
    await drover.agent('developer', (task) => {
      if (task.name === 'a' && broken) throw new Error('broken');
      return task.name;
    });
    const goal = await drover.enqueue(
      plan([
        { name: 'a', capability: 'developer', retry: { ...quick, attempts: 2 } },
        { name: 'b', capability: 'developer', needs: ['a'] },
        { name: 'c', capability: 'developer', needs: ['b'] },
      ]),
    );
    const stuck = await goal.done();
    expect(stuck.text).toBe('Stuck: 0/3 tasks complete, 1 failed, 2 blocked');
    expect(stuck.tasks[2]!.blockedBy).toEqual([stuck.tasks[0]!.id]);
    broken = false;
    await drover.retry(stuck.tasks[0]!.id, 'mended');
    const report = await goal.done();
    expect(report.text).toBe('Done! 3/3 tasks complete');
    const types = await eventTypes(drover, goal.id);
    expect(types.filter((type) => type.startsWith('goal.'))).toEqual(
      expect.arrayContaining(['goal.settled', 'goal.reopened', 'goal.completed']),
    );
  });

  it('is not repeated for an error that the plan calls final', async () => {
    const drover = await bed.start();
    let runs = 0;
    await drover.agent('developer', () => {
      runs += 1;
      throw new Error('no such account');
    });
    const goal = await drover.enqueue(
      plan([{ name: 'a', capability: 'developer', retry: { ...quick, unless: ['no such'] } }]),
    );
    expect((await goal.done()).tasks[0]!.state).toBe('FAILED');
    expect(runs).toBe(1);
  });

  it('goes on without an optional need that failed', async () => {
    const drover = await bed.start();
    await drover.agent('developer', (task) => {
      if (task.name === 'extra') throw new Error('no luck');
      return task.needs();
    });
    const goal = await drover.enqueue(
      plan([
        { name: 'extra', capability: 'developer', optional: true, retry: { attempts: 1 } },
        { name: 'one', capability: 'developer', needs: ['extra'] },
        { name: 'two', capability: 'developer', needs: ['extra'] },
      ]),
    );
    const report = await goal.done();
    expect(report.state).toBe('DONE');
    expect(report.tasks.map((task) => task.state)).toEqual(['FAILED', 'DONE', 'DONE']);
    expect(report.tasks[1]!.result).toEqual({ extra: null });
  });

  it('gives a step’s first result again instead of running it twice', async () => {
    const drover = await bed.start();
    let paid = 0;
    await drover.agent('developer', async (task) => {
      const receipt = await task.step('pay', () => {
        paid += 1;
        return `receipt ${paid}`;
      });
      if (task.attempt === 1) throw new Error('after paying');
      return receipt;
    });
    const goal = await drover.enqueue(plan([{ name: 'a', capability: 'developer', retry: quick }]));
    expect((await goal.done()).tasks[0]!.result).toBe('receipt 1');
    expect(paid).toBe(1);
  });

  it('ends at its timeout, and the handler’s signal says so', async () => {
    const drover = await bed.start();
    let reason: unknown;
    await drover.agent('developer', async ({ signal }) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      reason = signal.reason;
    });
    const goal = await drover.enqueue(
      plan([{ name: 'a', capability: 'developer', timeout: 100, retry: { attempts: 1 } }]),
    );
    const report = await goal.done();
    expect(report.tasks[0]!.error).toContain('longer than its timeout of 100ms');
    expect(reason).toMatchObject({ code: 'timeout' });
  });

  it('that is declined uses no attempt, is offered again and fails visibly in the end', async () => {
    const drover = await bed.start();
    let offers = 0;
    await drover.agent('developer', () => 'taken', {
      declines: () => {
        offers += 1;
        return offers < 2 ? 'busy' : undefined;
      },
    });
    const goal = await drover.enqueue(
      plan([{ name: 'a', capability: 'developer', retry: { attempts: 1 } }]),
    );
    const report = await goal.done();
    expect(report.tasks[0]).toMatchObject({ state: 'DONE', declines: 1, attempts: 1, claims: 2 });
  });
});

describe('the check', () => {
  it('decides whether a task is done, and its output is in the log', async () => {
    const drover = await bed.start();
    await drover.agent('shell', 'shell');
    const goal = await drover.enqueue(
      plan([
        {
          name: 'good',
          capability: 'shell',
          run: 'echo made > made.txt',
          check: { run: 'cat made.txt' },
        },
        {
          name: 'bad',
          capability: 'shell',
          run: 'true',
          check: { run: 'echo no file; exit 3' },
          retry: { attempts: 1 },
        },
      ]),
    );
    const report = await goal.done();
    expect(report.tasks.map((task) => task.state)).toEqual(['DONE', 'FAILED']);
    const checks = [...drover.ledger.log.events({ goal: goal.id })].flatMap(({ event }) =>
      event.type === 'check.finished' ? [event] : [],
    );
    expect(checks).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          command: 'cat made.txt',
          exitCode: 0,
          output: 'made\n',
          passed: true,
        }),
        expect.objectContaining({ exitCode: 3, passed: false }),
      ]),
    );
  });
});

describe('growth', () => {
  it('adds tasks, waits for them without holding a worker, and gets their results', async () => {
    const drover = await bed.start();
    let plans = 0;
    const work = async (task: TaskContext): Promise<unknown> => {
      if (!task.name.startsWith('split')) return task.name.length;
      await task.step('plan', () => {
        plans += 1;
        return plans;
      });
      const parts = await task.addTasks(
        [
          { name: 'part one', capability: 'developer' },
          { name: 'part three', capability: 'developer', needs: ['part one'] },
        ],
        { wait: true },
      );
      return parts;
    };
    // One at a time: an adder that kept its worker would wait for ever.
    await drover.agent('developer', work, { concurrency: 1 });
    const goal = await drover.enqueue(
      plan([
        { name: 'split', capability: 'developer' },
        { name: 'after', capability: 'developer', needs: ['split'] },
      ]),
    );
    const report = await goal.done();
    expect(report.text).toBe('Done! 4/4 tasks complete');
    expect(report.tasks[0]!.result).toEqual({ 'part one': 8, 'part three': 10 });
    expect(plans).toBe(1);
  });

  it('adds tasks that the goal has to finish, and refuses a cycle', async () => {
    const drover = await bed.start();
    let refused = '';
    await drover.agent('developer', async (task) => {
      if (task.name !== 'first') return 1;
      await task.addTasks([{ name: 'later', capability: 'developer', needs: ['first'] }]);
      await task
        .addTasks([{ name: 'never', capability: 'developer', needs: ['first'] }], { wait: true })
        .catch((error: Error) => {
          refused = error.message;
        });
      return 1;
    });
    const goal = await drover.enqueue(plan([{ name: 'first', capability: 'developer' }]));
    const report = await goal.done();
    expect(report.text).toBe('Done! 2/2 tasks complete');
    expect(refused).toContain('wait for each other');
  });
});

describe('cancelling', () => {
  it('aborts what runs, never starts the rest and leaves no job behind', async () => {
    const drover = await bed.start();
    const started: string[] = [];
    let aborted: unknown;
    await drover.agent('developer', async (task) => {
      started.push(task.name);
      await new Promise((resolve) => {
        task.signal.addEventListener('abort', resolve);
      });
      aborted = task.signal.reason;
    });
    const goal = await drover.enqueue(
      plan([
        { name: 'a', capability: 'developer' },
        { name: 'b', capability: 'developer', needs: ['a'] },
      ]),
    );
    for await (const { event } of goal.events()) if (event.type === 'task.active') break;
    await drover.cancel(goal.id, 'changed my mind');
    const report = await goal.done();
    expect(report.text).toBe('Cancelled: 0/2 tasks complete, 2 cancelled');
    await expect.poll(() => aborted).toMatchObject({ code: 'cancelled' });
    expect(started).toEqual(['a']);
    await expect
      .poll(() => [...drover.ledger.log.events({ goal: goal.id })].at(-1)!.event.type)
      .toBe('goal.evicted');
    expect(await drover.connection.client.keys(`${drover.prefix}:*:task-*`)).toEqual([]);
  });
});
