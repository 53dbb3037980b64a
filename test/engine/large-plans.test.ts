/** Plans that are submitted in parts, by a thread: nothing begins before its needs, whatever is there first. */
import { basename } from 'node:path';
import type { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/compile.js';
import { FairOrder } from '../../src/compile/fair-order.js';
import { enqueueOffline } from '../../src/engine/offline.js';
import { Submission } from '../../src/engine/submitting/submission.js';
import { Log } from '../../src/log/log.js';
import { GoalReader } from '../../src/projections/goal-reader.js';
import { connect } from '../../src/queues/connection.js';
import { Flows } from '../../src/queues/flows.js';
import { testBed } from '../support/redis.js';
import { agree } from './steering-support.js';

const bed = testBed();
/** So many that they are submitted in parts. */
const MANY = 700;

/** Plans of random shape: chains, wide joins, and whatever lies between. */
const plans = fc
  .array(fc.uniqueArray(fc.nat(), { maxLength: 3 }), { minLength: MANY, maxLength: MANY })
  .map((needs) =>
    needs.map((wanted, index) => ({
      name: `t${index}`,
      capability: 'developer',
      // Near ones make long ways; the last one waits for many.
      needs:
        index === MANY - 1
          ? Array.from({ length: 50 }, (_, need) => `t${need * 3}`)
          : index === 0
            ? []
            : [...new Set(wanted.map((need) => `t${index - 1 - (need % Math.min(index, 40))}`))],
    })),
  );

/** Submits so many parts of a recorded goal, all but the last at most, as a supervisor does that is killed then. */
async function submitParts(dataDir: string, prefix: string, parts: number): Promise<void> {
  const connection = await connect(bed.redis().connection);
  const log = Log.read(dataDir);
  const goal = new GoalReader(log.db).goal('goal-1')!;
  const flows = new Flows(connection.client, prefix);
  const add = Reflect.get(flows, 'add') as (...args: unknown[]) => Promise<void>;
  let left = parts;
  Reflect.set(flows, 'add', async (...args: unknown[]) => {
    if (left === 0) throw new Error('killed');
    left -= 1;
    return add.apply(flows, args);
  });
  // A plan of few levels has fewer parts than were asked for: the last one is never reached.
  Reflect.set(flows, 'addTogether', () => Promise.reject(new Error('killed')));
  const priorities = new FairOrder().place(goal, new Map());
  const trees = compile(goal, new Set(goal.tasks.keys()), priorities, true);
  await expect(flows.submitInParts(trees)).rejects.toThrow('killed');
  await connection.close();
  log.close();
}

describe('a large plan', () => {
  it('runs every task once, after its needs, with agents at work while it is submitted', async () => {
    const drover = await bed.start();
    const done = new Set<string>();
    const early: string[] = [];
    let ran = 0;
    await drover.agent(
      'developer',
      async (task) => {
        ran += 1;
        const needs = Object.keys(await task.needs());
        const lacking = needs.filter((need) => !done.has(`${task.goal.id}/${need}`));
        if (lacking.length > 0) early.push(`${task.name} before ${lacking.join()}`);
        done.add(`${task.goal.id}/${task.name}`);
        return needs.length;
      },
      { concurrency: 20 },
    );
    await fc.assert(
      fc.asyncProperty(plans, async (tasks) => {
        ran = 0;
        const goal = await drover.enqueue({ title: 'Large', tasks });
        const report = await goal.done();
        expect(report.text).toBe(`Done! ${MANY}/${MANY} tasks complete`);
        // All of its needs, not only those that came in time.
        expect(report.tasks.map(({ result }) => result)).toEqual(
          tasks.map(({ needs }) => needs.length),
        );
        expect({ ran, early }).toEqual({ ran: MANY, early: [] });
      }),
      { numRuns: 3 },
    );
    await agree(drover);
  });

  it('does not begin by a timer or an approval before the rest is there', async () => {
    const drover = await bed.start();
    await drover.agent('developer', async (task) => Object.keys(await task.needs()).length);
    const wide = Array.from({ length: MANY }, (_, index) => ({
      name: `t${index}`,
      capability: 'developer',
    }));
    const goal = await drover.enqueue({
      title: 'Waiting',
      tasks: [
        ...wide,
        {
          name: 'late',
          capability: 'developer',
          needs: wide.map(({ name }) => name),
          wait: { for: 1 },
        },
      ],
    });
    const report = await goal.done();
    expect(report.tasks.at(-1)).toMatchObject({ name: 'late', state: 'DONE', result: MANY });
  });

  it('that was cut short between two parts is submitted as a whole by the next start', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 1, max: 3 }), async (tasks, parts) => {
        const dataDir = bed.folder();
        const prefix = basename(dataDir);
        const { goal } = enqueueOffline(dataDir, { title: 'Cut', tasks });
        await submitParts(dataDir, prefix, parts);
        const drover = await bed.start({ dataDir, prefix });
        await drover.agent('developer', async (task) => Object.keys(await task.needs()).length, {
          concurrency: 20,
        });
        const report = await drover.goal(goal).done();
        expect(report.tasks.map(({ result, claims }) => [result, claims])).toEqual(
          tasks.map(({ needs }) => [needs.length, 1]),
        );
        await agree(drover);
        await drover.close();
      }),
      { numRuns: 4 },
    );
  });

  it('is submitted again where the thread that submits it has died', async () => {
    const drover = await bed.start();
    await drover.agent('developer', () => 1);
    const run = Reflect.get(Submission.prototype, 'run') as (data: unknown) => Promise<void>;
    Reflect.set(Submission.prototype, 'run', function killed(this: Submission, data: unknown) {
      Reflect.set(Submission.prototype, 'run', run);
      const running = run.call(this, data);
      const worker = Reflect.get(this, 'worker') as Worker;
      worker.once('online', () => void worker.terminate());
      return running;
    });
    const tasks = Array.from({ length: MANY }, (_, index) => ({
      name: `t${index}`,
      capability: 'developer',
    }));
    await expect(drover.enqueue({ title: 'Killed', tasks })).rejects.toThrow('submitted again');
    expect((await drover.goal('goal-1').done()).text).toBe(`Done! ${MANY}/${MANY} tasks complete`);
  });
});
