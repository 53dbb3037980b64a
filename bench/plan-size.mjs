/** Milliseconds that large plans take until they are submitted. */
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { compile } from '../dist/compile/compile.js';
import { FairOrder } from '../dist/compile/fair-order.js';
import { plannedTaskSchema } from '../dist/core/plan.js';
import { checkPlan } from '../dist/core/plan-check.js';
import { Recording } from '../dist/engine/recording/recording.js';
import { Submission } from '../dist/engine/submitting/submission.js';
import { median, round, withDrover, withRedis } from './harness.mjs';
import { chain, layers } from './plans.mjs';

export const about =
  'checking, compiling and submitting a plan of 10,000 tasks, and a chain of 5,000';
export const defaults = { tasks: 10_000, width: 500, chain: 5_000, rounds: 3 };

/** @param {typeof defaults} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ tasks, width, chain: length, rounds }) {
  const plans = { layers: layers(tasks, width), chain: chain(length) };
  const rows = await withRedis(async (place) => {
    const all = [];
    for (const [plan, planned] of Object.entries(plans)) {
      /** @type {Record<string, number>[]} */
      const taken = [];
      for (let turn = 0; turn < rounds; turn += 1) taken.push(await enqueuePlan(place, planned));
      const medians = Object.keys(taken[0]).map((key) => [
        key,
        round(median(taken.map((each) => each[key]))),
      ]);
      all.push({ plan, tasks: planned.length, ...Object.fromEntries(medians) });
    }
    return all;
  });
  return {
    figures: Object.fromEntries(rows.map(({ plan, ...rest }) => [plan, rest])),
    tables: [{ title: `milliseconds, medians of ${rounds}`, rows }],
    notes: [
      `Layers of ${width} tasks, each with one to three needs in the layer before, and a chain.`,
      '`enqueue` is the whole call; `record` (checked, numbered and committed by the recording thread) and `submit` are parts of it. `check` and `compile` were timed again on their own; the first is part of `record`. `jobs` are those of the compiled plan, with relays and gates. `pause` is the longest time during which the event loop of the main thread did nothing else, `silence` the longest time that Redis let somebody else wait for an answer. Large plans are submitted by a thread, in parts.',
      'Not measured: running the plan.',
    ],
  };
}

/** @param {import('./harness.mjs').Place} place @param {import('./plans.mjs').Task[]} tasks */
async function enqueuePlan(place, tasks) {
  return withDrover(place, async (drover) => {
    const check = timed(() => checkPlan(tasks.map((task) => plannedTaskSchema.parse(task))));
    const submitting = watch(Submission.prototype, 'submit');
    const deciding = watch(Recording.prototype, 'decide');
    const redis = await longestSilence(place);
    const pauses = longestPause();
    const began = performance.now();
    const goal = await drover.enqueue({ title: 'Large', tasks });
    const enqueue = performance.now() - began;
    const longest = await pauses.stop();
    const silence = await redis.stop();
    const [submit, record] = [submitting.stop(), deciding.stop()];
    const view = drover.ledger.board.goal(goal.id);
    /** @type {import('../dist/queues/flows.js').JobTree[]} */
    let trees = [];
    const compiling = timed(() => {
      const priorities = new FairOrder().place(view, new Map());
      trees = compile(view, new Set(view.tasks.keys()), priorities, true);
    });
    return {
      jobs: size(trees),
      check,
      record,
      compile: compiling,
      submit,
      enqueue,
      pause: longest,
      silence,
    };
  });
}

/**
 * Times the calls of a method from outside, until `stop` says how many milliseconds they took.
 * @param {object} prototype
 * @param {string} name
 */
function watch(prototype, name) {
  const original = Reflect.get(prototype, name);
  let ms = 0;
  Reflect.set(prototype, name, async function timedCall(...args) {
    const began = performance.now();
    try {
      return await original.apply(this, args);
    } finally {
      ms += performance.now() - began;
    }
  });
  return {
    stop() {
      Reflect.set(prototype, name, original);
      return ms;
    },
  };
}

/** @param {() => unknown} work */
function timed(work) {
  const began = performance.now();
  work();
  return performance.now() - began;
}

/** @param {readonly import('../dist/queues/flows.js').JobTree[]} trees */
function size(trees) {
  let count = 0;
  const open = [...trees];
  for (let next = open.pop(); next; next = open.pop()) {
    count += 1;
    for (const child of next.children) open.push(child);
  }
  return count;
}

/** Watches the event loop with a timer of 1 ms. */
function longestPause() {
  let longest = 0;
  let last = performance.now();
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, 1);
  return {
    async stop() {
      await new Promise((resolve) => setTimeout(resolve, 2));
      clearInterval(timer);
      return longest;
    },
  };
}

/** Watches how long Redis lets somebody else wait. @param {import('./harness.mjs').Place} place */
async function longestSilence({ redis }) {
  const thread = new Worker(new URL('./ping-thread.mjs', import.meta.url), { workerData: redis });
  await once(thread, 'message');
  return {
    async stop() {
      thread.postMessage('stop');
      const [longest] = await once(thread, 'message');
      return longest;
    },
  };
}
