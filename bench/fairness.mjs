/** How long a small goal takes alone, and beside a large one of another project that was there first. */
import { performance } from 'node:perf_hooks';
import {
  CAPABILITY,
  median,
  pause,
  range,
  round,
  withDrover,
  withFifo,
  withRedis,
} from './harness.mjs';
import { chain } from './plans.mjs';

export const about = 'a goal of ten tasks alone and beside one of 10,000 of another project';
export const defaults = { large: 10_000, small: 10, workers: 4, work: 10, rounds: 5 };

/** @typedef {typeof defaults} Options */

/** Tasks that wait for nothing. @param {number} count */
const side = (count) =>
  range(count).map((index) => ({ name: `t${index}`, capability: CAPABILITY }));

/** @param {Options} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run(options) {
  return withRedis(async (place) => {
    const alone = await measure(place, options, 0, options.rounds);
    const beside = await measure(place, options, options.large, options.rounds);
    // Once and with one shape: it waits for the whole large goal.
    const fifo = await withFifo(() => measure(place, options, options.large, 1, ['side by side']));
    const shapes = Object.keys(alone).map((shape) => ({
      shape,
      'alone ms': round(alone[shape]),
      'beside ms': round(beside[shape]),
      ratio: round(beside[shape] / alone[shape]),
    }));
    const first = 'side by side';
    const fifoRow = { 'beside ms': round(fifo[first]), ratio: round(fifo[first] / alone[first]) };
    return report(shapes, fifoRow, options);
  });
}

/**
 * Medians of milliseconds from the enqueue of the small goal to its end.
 * @param {import('./harness.mjs').Place} place
 * @param {Options} options
 * @param {number} large tasks of the goal that is there first; 0 for none
 * @param {number} rounds
 * @param {string[]} [only]
 * @returns {Promise<Record<string, number>>}
 */
async function measure(place, { small, workers, work }, large, rounds, only) {
  const plans = Object.entries({
    'side by side': side(small),
    'one behind the other': chain(small),
  });
  const wanted = plans.filter(([shape]) => !only || only.includes(shape));
  return withDrover(place, async (drover) => {
    const handle = async () => {
      await pause(work);
      return {};
    };
    await drover.agent(CAPABILITY, handle, { concurrency: workers });
    if (large > 0) {
      const goal = await drover.enqueue({ title: 'Large', project: 'large', tasks: side(large) });
      while ((await goal.report()).counts.DONE < workers * 4) await pause(100);
    }
    /** @type {Record<string, number[]>} */
    const took = {};
    for (const [shape, tasks] of wanted) {
      took[shape] = [];
      // The first warms up and does not count.
      for (const turn of range(rounds + (rounds > 1 ? 1 : 0))) {
        const began = performance.now();
        const goal = await drover.enqueue({ title: shape, project: 'small', tasks });
        const { state } = await goal.done();
        if (state !== 'DONE') throw new Error(`The small goal is ${state}.`);
        if (turn > 0 || rounds === 1) took[shape].push(performance.now() - began);
      }
    }
    const [first] = drover.ledger.board.inState('DONE');
    if (!only && first?.project === 'large') throw new Error('The large goal was done too early.');
    if (large > 0) await drover.close({ force: true });
    return Object.fromEntries(Object.entries(took).map(([shape, all]) => [shape, median(all)]));
  });
}

/**
 * @param {import('./harness.mjs').Row[]} shapes
 * @param {import('./harness.mjs').Row} fifo
 * @param {Options} options
 * @returns {import('./harness.mjs').Result}
 */
function report(shapes, fifo, { large, small, workers, work, rounds }) {
  const ratio = Math.max(...shapes.map((shape) => Number(shape['ratio'])));
  return {
    ratio,
    ratioOf:
      'the small goal beside the large one to the small goal alone, the worse of both shapes',
    figures: { shapes, fifo },
    tables: [
      {
        title: `a goal of ${small} tasks, alone and beside ${large} queued tasks of another project; medians of ${rounds} rounds`,
        rows: [...shapes, { shape: 'side by side, first come first served', ...fifo }],
      },
    ],
    notes: [
      `${workers} tasks at a time of one capability; each task waits ${work} ms. Time is from the enqueue to the end that the log has.`,
      'Two projects at one capability have half of it each: tasks that wait for nothing take up to twice as long, those of a chain hardly longer.',
      'First come, first served is the same engine with one priority for all tasks, measured once.',
      'Not measured: more than two projects, several capabilities, goals that begin late (see test/compile/fair-order.test.ts).',
    ],
  };
}
