/** Tasks per second: many small goals at once, against the same trees in BullMQ alone. */
import { performance } from 'node:perf_hooks';
import { FlowProducer, Job, Queue, Worker } from 'bullmq';
import {
  CAPABILITY,
  cpuMs,
  median,
  eventsOf,
  plainConnection,
  quiet,
  range,
  recorded,
  redisUsage,
  round,
  withDrover,
  withRedis,
} from './harness.mjs';
import { chain, diamond, plainChain, plainDiamond, plainFan, plainGoal } from './plans.mjs';

export const about = 'tasks per second of 100 goals of 10 tasks, chains and diamonds';
export const defaults = { goals: 100, rounds: 5, concurrency: 50, warmup: 20 };

/** Tasks in each goal. */
const SIZE = 10;

/**
 * What one run cost, milliseconds per task except for the rate (tasks per second) and `loop busy` (0 to 1).
 * @typedef {Record<string, number> & { rate: number }} Cost
 * @typedef {{ plain: Cost[], drover: Cost[], first: Cost, fan: Cost[] }} Measured `first` is Drover's right after its
 *   start, `fan` BullMQ's without relay and gates, of diamonds
 */

/** @param {typeof defaults} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ goals, rounds, concurrency, warmup }) {
  return withRedis(async (place) => {
    /** @type {Record<string, Measured>} */
    const measured = {};
    for (const shape of /** @type {const} */ (['chain', 'diamond'])) {
      measured[shape] = await withDrover(place, async (instance) => {
        await instance.agent(CAPABILITY, () => ({}), { concurrency });
        const first = await drover(place, instance, shape, goals);
        // What is compiled and prepared at first use is not what is asked for. Drover compiles in a thread of its
        // own as well, which every start makes anew, so one supervisor stays for all rounds, as it does in use.
        for (let turn = 0; turn < warmup; turn += 1) {
          await plain(place, shape, goals, concurrency);
          await drover(place, instance, shape, goals);
        }
        /** @type {Measured} */
        const all = { plain: [], drover: [], first, fan: [] };
        for (let turn = 0; turn < rounds; turn += 1) {
          all.plain.push(await plain(place, shape, goals, concurrency));
          all.drover.push(await drover(place, instance, shape, goals));
          if (shape === 'diamond') all.fan.push(await plain(place, 'fan', goals, concurrency));
        }
        return all;
      });
    }
    return report(measured, { goals, rounds, concurrency, warmup });
  });
}

/** Notes what both processes have used up, for `stop` to say what it cost since. @param {import('ioredis').Redis} client */
async function meter(client) {
  const redis = await redisUsage(client);
  const cpu = cpuMs();
  const loop = performance.eventLoopUtilization();
  const began = performance.now();
  return {
    /** @param {number} tasks @returns {Promise<Cost>} */
    async stop(tasks) {
      const ms = performance.now() - began;
      const busy = performance.eventLoopUtilization(loop).utilization;
      const node = cpuMs() - cpu;
      const after = await redisUsage(client);
      return {
        rate: (tasks / ms) * 1_000,
        elapsed: ms / tasks,
        node: node / tasks,
        redis: (after.cpuMs - redis.cpuMs) / tasks,
        'redis calls': (after.calls - redis.calls) / tasks,
        'loop busy': busy,
      };
    },
  };
}

/**
 * Drover: from the first enqueue until every goal is DONE in the log and nothing in the streams is unrecorded.
 * @param {import('./harness.mjs').Place} place
 * @param {import('../dist/index.js').Drover} instance
 * @param {'chain' | 'diamond'} shape
 * @param {number} goals
 */
async function drover(place, instance, shape, goals) {
  const tasks = shape === 'chain' ? chain(SIZE) : diamond(SIZE - 2);
  let commits = 0;
  const stop = instance.ledger.onCommit(() => {
    commits += 1;
  });
  const events = eventsOf(instance);
  await quiet();
  const running = await meter(place.client);
  const handles = await Promise.all(
    range(goals).map((index) => instance.enqueue({ title: `Goal ${index}`, tasks })),
  );
  await Promise.all(handles.map((handle) => handle.done()));
  await recorded(instance);
  const cost = await running.stop(goals * SIZE);
  stop();
  for (const handle of handles) {
    // Read from the stored rows, because a finished goal is held in memory no longer.
    const { state, tasks: all } = await handle.report();
    const done = all.filter((task) => task.state === 'DONE').length;
    if (state !== 'DONE' || done !== SIZE)
      throw new Error(`${handle.id} is ${state} with ${done} tasks done.`);
  }
  const each = (/** @type {number} */ count) => count / goals / SIZE;
  return { ...cost, events: each(eventsOf(instance) - events), commits: each(commits) };
}

/**
 * BullMQ alone: from the first add until the last goal's job, or for `fan` the last task's, is completed.
 * @param {import('./harness.mjs').Place} place
 * @param {'chain' | 'diamond' | 'fan'} shape
 * @param {number} goals
 * @param {number} concurrency
 */
async function plain({ client, redis, prefix }, shape, goals, concurrency) {
  // A connection as BullMQ's users have it, without what Drover adds to its own.
  const connection = plainConnection(redis);
  const options = { connection, prefix: prefix() };
  const flows = new FlowProducer(options);
  const gates = new Queue('gates', options);
  let left = shape === 'fan' ? goals * SIZE : goals;
  /** @type {(value?: unknown) => void} */
  let finish = () => undefined;
  const finished = new Promise((resolve) => {
    finish = resolve;
  });
  const count = () => {
    left -= 1;
    if (left === 0) finish();
  };
  const work = async (/** @type {import('bullmq').Job} */ job) => {
    if (shape === 'fan' && job.name === 'first') await flows.add(plainFan(SIZE - 2));
    return {};
  };
  const relay = async (/** @type {import('bullmq').Job} */ { data }) => {
    // Without reading them first: what is promoted is known.
    const promoted = data.gates.map((/** @type {string} */ id) =>
      new Job(gates, 'gate', {}, {}, id).promote(),
    );
    await Promise.all(promoted);
  };
  const worker = new Worker(CAPABILITY, work, { ...options, concurrency });
  const engine = [
    new Worker('relays', relay, { ...options, concurrency: 50 }),
    new Worker('gates', async () => null, { ...options, concurrency: 10 }),
    new Worker('goals', async () => null, { ...options, concurrency: 10 }),
  ];
  const last = shape === 'fan' ? worker : engine[2];
  last.on('completed', count);
  const workers = [worker, ...engine];
  await Promise.all(workers.map((each) => each.waitUntilReady()));
  await gates.waitUntilReady();
  const tree = (/** @type {number} */ goal) => {
    if (shape === 'fan') return { name: 'first', queueName: CAPABILITY, data: {} };
    return plainGoal(shape === 'chain' ? plainChain(SIZE) : plainDiamond(SIZE - 2, `goal-${goal}`));
  };
  await quiet();
  const running = await meter(client);
  await Promise.all(range(goals).map((goal) => flows.add(tree(goal))));
  await finished;
  const cost = await running.stop(goals * SIZE);
  await Promise.all(workers.map((each) => each.close()));
  await gates.close();
  await flows.close();
  await connection.quit();
  return cost;
}

/** @param {Record<string, Measured>} measured @param {typeof defaults} options @returns {import('./harness.mjs').Result} */
function report(measured, { goals, rounds, concurrency, warmup }) {
  const shapes = Object.entries(measured).map(
    ([shape, { plain: alone, drover: ours, first, fan }]) => {
      const rates = { plain: medianOf(alone, 'rate'), drover: medianOf(ours, 'rate') };
      // Neighbours in time, because what else the machine does changes from minute to minute.
      const ratio = median(ours.map(({ rate }, index) => rate / alone[index].rate));
      const all = ours.map(({ rate }) => rate);
      const extreme = { slowest: Math.min(...all), fastest: Math.max(...all) };
      return {
        shape,
        ...rates,
        ratio,
        ...extreme,
        first: first.rate,
        ...(fan.length > 0 && { fan: medianOf(fan, 'rate') }),
        costs: { plain: costs(alone), drover: costs(ours) },
      };
    },
  );
  // Equal parts of both shapes take the sum of their times, which is not the mean of their rates.
  const both = (/** @type {'plain' | 'drover'} */ who) =>
    shapes.length / shapes.reduce((sum, each) => sum + 1 / each[who], 0);
  const ratio = round(Math.sqrt(shapes.reduce((product, each) => product * each.ratio, 1)));
  const total = { plain: round(both('plain')), drover: round(both('drover')), ratio };
  const rows = shapes.map(({ shape, costs: _costs, ...rest }) => ({ shape, ...rounded(rest) }));
  return {
    ratio,
    figures: {
      ...Object.fromEntries(
        shapes.map(({ shape, costs: cost }, index) => [shape, { ...rows[index], cost }]),
      ),
      both: total,
    },
    tables: [
      {
        title: `tasks per second, medians of ${rounds} rounds in turn (${goals} goals of ${SIZE} tasks, concurrency ${concurrency}, ${warmup} rounds before)`,
        rows: [...rows, { shape: 'both', ...total }],
      },
      {
        title: 'where the time goes: milliseconds, calls, events and commits per task',
        rows: shapes.flatMap(({ shape, costs: cost }) => [
          { shape, who: 'plain', ...cost.plain },
          { shape, who: 'drover', ...cost.drover },
        ]),
      },
    ],
    notes: [
      'Drover’s time ends when all goals are DONE in the log, its projections and cursors are current; BullMQ’s when the last job is completed. Both include submitting, one call per goal, all calls at once.',
      'Both run the same trees of jobs: below a job for each goal a chain of ten, or a diamond of ten with a relay and seven gates, which BullMQ’s relay opens with `promote`.',
      '`fan` is BullMQ without relay and gates: a first job whose processor adds the other nine as a flow (eight children and their parent). A crash in between adds them twice or never. It is in no ratio.',
      '`first` is Drover’s rate right after its start, when nothing is compiled yet; it is in no ratio.',
      'Drover keeps one supervisor over all rounds, with its retention; STATE.yaml and task pages follow beside it. BullMQ removes nothing and writes no files.',
      'Both run one worker with the same concurrency in one process; tasks do nothing and return {}.',
      'Ratios are medians over neighbouring runs, and for both shapes their geometric mean.',
      '`node` and `redis` are processor time and run side by side; `node` is that of all threads, the recording one’s included, `loop busy` that of the main thread. `redis calls` includes those that scripts make.',
      'Not measured: work of real agents, large results, several processes, a Redis across a network, jobs that wait in long queues.',
    ],
  };
}

/** @param {Cost[]} all @param {string} key */
const medianOf = (all, key) => median(all.map((each) => each[key]));

/** @param {Cost[]} all */
function costs(all) {
  const { rate: _rate, ...rest } = all[0];
  return Object.fromEntries(Object.keys(rest).map((key) => [key, round(medianOf(all, key))]));
}

/** @param {Record<string, number>} row */
const rounded = (row) =>
  Object.fromEntries(Object.entries(row).map(([key, value]) => [key, round(value)]));
