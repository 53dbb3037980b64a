/** Milliseconds from one task's completion to the start of the next: on an idle machine, one chain at a time. */
import { performance } from 'node:perf_hooks';
import { FlowProducer, Worker } from 'bullmq';
import { connect } from '../dist/queues/connection.js';
import {
  CAPABILITY,
  pause,
  percentile,
  plainConnection,
  range,
  round,
  spread,
  withDrover,
  withRedis,
} from './harness.mjs';
import { chain, plainChain } from './plans.mjs';

export const about =
  'completion of a task to the start of its dependent, beside pub/sub and polling; uses REDIS_URL';
export const defaults = { transitions: 250, poll: 10 };

/** Transitions in one goal; plain BullMQ and Drover take turns goal by goal. */
const LENGTH = 25;
/** A second capability, so that a chain can go to and fro between two idle workers. */
const OTHER = 'bench-other';
/** Tasks a worker takes at a time: Drover's default. */
const CONCURRENCY = 4;
/** Completions that the poller has to find. */
const POLLED = 40;

/** @param {typeof defaults} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ transitions, poll }) {
  return withRedis(async (place) => {
    const goals = Math.ceil(transitions / LENGTH);
    const { plain, drover } = await oneDependent(place, goals);
    const fan = await severalDependents(place, goals);
    const published = await publish(place, transitions);
    const polled = await polling(place, poll * 1_000);
    return report({ ...plain, ...drover, ...fan, ...published, polled }, poll);
  });
}

/** Starts and ends of handlers by task name. */
class Clock {
  /** @type {Map<string, number>} */
  began = new Map();
  /** @type {Map<string, number>} */
  ended = new Map();

  handle = (/** @type {{ name: string }} */ { name }) => {
    this.began.set(name, performance.now());
    this.ended.set(name, performance.now());
    return {};
  };

  /** @param {string} from @param {string} to */
  between(from, to) {
    return this.began.get(to) - this.ended.get(from);
  }
}

/** @param {import('./harness.mjs').Place} place @param {number} goals */
async function oneDependent(place, goals) {
  return withDrover(place, async (drover) => {
    let clock = new Clock();
    const handle = (/** @type {{ name: string }} */ task) => clock.handle(task);
    for (const capability of [CAPABILITY, OTHER])
      await drover.agent(capability, handle, { concurrency: CONCURRENCY });

    const connection = plainConnection(place.redis);
    const options = { connection, prefix: place.prefix() };
    const flows = new FlowProducer(options);
    /** @type {() => void} */
    let finish = () => undefined;
    const workers = [CAPABILITY, OTHER].map((queue) => {
      const worker = new Worker(queue, async (job) => clock.handle(job), {
        ...options,
        concurrency: CONCURRENCY,
      });
      return worker.on('completed', (job) => {
        if (job.name === `t${LENGTH}`) finish();
      });
    });
    for (const worker of workers) await worker.waitUntilReady();

    /** @type {Record<string, number[]>} */
    const plain = { plainSame: [], plainOther: [] };
    /** @type {Record<string, number[]>} */
    const ours = { droverSame: [], droverOther: [] };
    const steps = range(1, LENGTH + 1);
    const take = () => steps.map((index) => clock.between(`t${index - 1}`, `t${index}`));
    const turns = (/** @type {number} */ index) => (index % 2 === 0 ? CAPABILITY : OTHER);
    // The first turn warms everything up and does not count.
    for (let turn = 0; turn <= goals; turn += 1) {
      for (const [which, queueOf] of /** @type {const} */ ([
        ['Same', () => CAPABILITY],
        ['Other', turns],
      ])) {
        clock = new Clock();
        const finished = new Promise((resolve) => {
          finish = () => resolve(undefined);
        });
        await flows.add(plainChain(LENGTH + 1, queueOf));
        await finished;
        if (turn > 0) plain[`plain${which}`].push(...take());
        await pause(20);

        clock = new Clock();
        const tasks = chain(LENGTH + 1).map((task, index) => ({
          ...task,
          capability: queueOf(index),
        }));
        await (await drover.enqueue({ title: 'Chain', tasks })).done();
        if (turn > 0) ours[`drover${which}`].push(...take());
        await pause(20);
      }
    }
    for (const worker of workers) await worker.close();
    await flows.close();
    await connection.quit();
    return { plain, drover: ours };
  });
}

/** One task, two that need it, one that needs both, and so on. @param {import('./harness.mjs').Place} place @param {number} goals */
async function severalDependents(place, goals) {
  return withDrover(place, async (drover) => {
    let clock = new Clock();
    await drover.agent(CAPABILITY, (task) => clock.handle(task), { concurrency: CONCURRENCY });
    const notices = await connect(place.redis);
    /** @type {Map<string, number>} */
    const heard = new Map();
    notices.client.on('message', (_channel, text) => {
      const { prefix, name } = JSON.parse(text);
      if (prefix === drover.prefix) heard.set(name, performance.now());
    });
    await notices.client.subscribe('tasks:complete');
    const tasks = [
      { name: 's0', capability: CAPABILITY },
      ...range(LENGTH).flatMap((index) => [
        { name: `a${index}`, capability: CAPABILITY, needs: [`s${index}`] },
        { name: `b${index}`, capability: CAPABILITY, needs: [`s${index}`] },
        { name: `s${index + 1}`, capability: CAPABILITY, needs: [`a${index}`, `b${index}`] },
      ]),
    ];
    const measured = { relay: [], gate: [], join: [], notice: [] };
    for (let turn = 0; turn <= goals; turn += 1) {
      clock = new Clock();
      heard.clear();
      await (await drover.enqueue({ title: 'Diamonds', tasks })).done();
      // The last notice follows the commit that ended the goal.
      while (!heard.has(`s${LENGTH}`)) await pause(5);
      if (turn === 0) continue;
      for (const index of range(LENGTH)) {
        measured.relay.push(clock.between(`s${index}`, `a${index}`));
        measured.gate.push(clock.between(`s${index}`, `b${index}`));
        const last = Math.max(clock.ended.get(`a${index}`), clock.ended.get(`b${index}`));
        measured.join.push(clock.began.get(`s${index + 1}`) - last);
        measured.notice.push(heard.get(`a${index}`) - clock.ended.get(`a${index}`));
      }
    }
    await notices.close();
    return measured;
  });
}

/** Redis' own pub/sub, from publishing to hearing. @param {import('./harness.mjs').Place} place @param {number} times */
async function publish({ redis, client, prefix }, times) {
  const subscriber = await connect(redis);
  const channel = `${prefix()}:bench`;
  /** @type {number[]} */
  const pubsub = [];
  await subscriber.client.subscribe(channel);
  for (let time = 0; time < times; time += 1) {
    const heard = new Promise((resolve) => {
      subscriber.client.once('message', resolve);
    });
    const began = performance.now();
    await client.publish(channel, 'x');
    await heard;
    pubsub.push(performance.now() - began);
  }
  await subscriber.close();
  return { pubsub };
}

/**
 * One poller and completions spread over one interval: some it finds at once, some it just missed.
 * @param {import('./harness.mjs').Place} place
 * @param {number} interval
 */
async function polling({ client, prefix }, interval) {
  const key = `${prefix()}:done`;
  /** @type {number[]} */
  const waited = [];
  const completions = range(POLLED).map(async (index) => {
    await pause((index + Math.random()) * (interval / POLLED));
    await client.rpush(key, performance.now());
  });
  while (waited.length < POLLED) {
    await pause(interval);
    const times = await client.lpop(key, POLLED);
    waited.push(...(times ?? []).map((time) => performance.now() - Number(time)));
  }
  await Promise.all(completions);
  return waited;
}

/** @param {Record<string, number[]>} measured @param {number} poll @returns {import('./harness.mjs').Result} */
function report(measured, poll) {
  const names = {
    plainSame: 'plain BullMQ, one dependent, same queue',
    droverSame: 'Drover, one dependent, same capability',
    plainOther: 'plain BullMQ, one dependent, other queue',
    droverOther: 'Drover, one dependent, other capability',
    relay: 'Drover, first of two dependents (relay)',
    gate: 'Drover, second of two dependents (relay and gate)',
    join: 'Drover, last of two needs to the joining task',
    pubsub: 'Redis pub/sub, publish to message',
    notice: 'Drover’s tasks:complete, completion to message',
    polled: `polling every ${poll} s, completion to found`,
  };
  const p50 = (/** @type {string} */ key) => percentile(measured[key], 0.5);
  const ratio = round(p50('droverSame') / p50('plainSame'));
  return {
    ratio,
    figures: {
      ...Object.fromEntries(Object.keys(names).map((key) => [key, spread(measured[key])])),
      ratioOther: round(p50('droverOther') / p50('plainOther')),
    },
    tables: [
      {
        title: 'milliseconds',
        rows: Object.entries(names).map(([key, what]) => ({ what, ...spread(measured[key]) })),
      },
    ],
    notes: [
      'From the return of one handler to the call of the next, both in this process, one goal at a time on idle workers; `ratio` is that of the p50s in the same queue. Lower is better.',
      'A completion is heard on tasks:complete only after it is in the log, so that figure contains the disk.',
      `Polling finds a completion after half the interval on average, whatever the machine; ${POLLED} completions were spread over one interval.`,
      'To check a Redis before deployment, run this with REDIS_URL from the machine that will use it; only keys of the benchmark are touched.',
      'Not measured: many goals at once (see throughput), handlers in other processes, work that keeps all workers busy.',
    ],
  };
}
