/** A trace of a real workflow through the real engine, beside what could be done at best. */
import { performance } from 'node:perf_hooks';
import { ranks } from '../dist/core/graph.js';
import { importPlan } from '../dist/plan/import/import-plan.js';
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
import { bestListSchedule } from './list-schedule.mjs';
import { generator } from './plans.mjs';

export const about = 'a WfCommons trace with 4 or 8 workers, beside the best list schedule';
export const file = 'FILE';
export const defaults = { workers: 4, seconds: 10, rounds: 3 };

/** Who holds up whom in waves; tasks of a capability of their own, so that they need no worker. */
const BARRIER = 'bench-barrier';

/** @typedef {import('./list-schedule.mjs').Piece} Piece */

/** @param {typeof defaults} options @param {string} path @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ workers, seconds, rounds }, path) {
  const { flow } = await importPlan(path);
  const traced = flow.tasks.map(({ name, needs, expected }) => ({
    name,
    needs,
    length: expected ?? 0,
  }));
  const whole = boundOf(traced, workers);
  // Scaled so that nothing can be faster than so many seconds.
  const scale = (seconds * 1_000) / whole.bound;
  const pieces = traced.map((piece) => ({ ...piece, length: piece.length * scale }));
  const { bound, ways, path: critical, work } = boundOf(pieces, workers);
  const best = bestListSchedule(pieces, workers, ways, generator(1));
  const measured = await withRedis(async (place) => {
    const many = async (/** @type {() => Promise<number>} */ once) => {
      const all = [];
      for (const _ of range(rounds)) all.push(await once());
      return median(all);
    };
    return {
      Drover: await many(() => execute(place, pieces, workers)),
      'first come, first served': await many(() => withFifo(() => execute(place, pieces, workers))),
      'waves with barriers': await many(() => execute(place, inWaves(pieces), workers)),
    };
  });
  const rows = Object.entries({ ...measured, 'best list schedule, computed': best }).map(
    ([who, ms]) => ({
      who,
      'makespan ms': round(ms),
      'of the bound': Number((ms / bound).toFixed(3)),
      'of the best': Number((ms / best).toFixed(3)),
    }),
  );
  return {
    ratio: Number((measured.Drover / bound).toFixed(3)),
    ratioOf: 'makespan to max(critical path, work / workers)',
    figures: {
      tasks: pieces.length,
      workers,
      bound: round(bound),
      best: round(best),
      toBest: Number((measured.Drover / best).toFixed(3)),
      rows,
    },
    tables: [
      {
        title: `${flow.title}: ${pieces.length} tasks, ${workers} workers; critical path ${round(critical)} ms, work ${round(work)} ms; medians of ${rounds} rounds`,
        rows,
      },
    ],
    notes: [
      `Each task sleeps as long as it ran in the trace, times ${scale.toPrecision(3)}. The makespan is from the first task’s beginning to the last one’s end, on the clock of the handlers.`,
      'The plan has the trace’s runtimes as expected durations, as those of a flow that ran before.',
      'First come, first served is the same engine with one priority for all tasks; in waves a task waits for all tasks of the level before. The best list schedule is the best of 503, computed without any overhead.',
      'Not measured: runtimes that differ from what is expected, several goals at once, transfers of files.',
    ],
  };
}

/** @param {readonly Piece[]} pieces @param {number} workers */
function boundOf(pieces, workers) {
  const nodes = pieces.map(({ name, needs, length }) => ({ id: name, needs, length }));
  const ways = ranks(nodes, ({ length }) => length);
  const path = Math.max(...ways.values());
  const work = pieces.reduce((sum, { length }) => sum + length, 0);
  return { ways, path, work, bound: Math.max(path, work / workers) };
}

/**
 * Milliseconds from the first beginning to the last end.
 * @param {import('./harness.mjs').Place} place
 * @param {readonly Piece[]} pieces
 * @param {number} workers
 */
async function execute(place, pieces, workers) {
  return withDrover(place, async (drover) => {
    let first = Number.POSITIVE_INFINITY;
    let last = 0;
    await drover.agent(BARRIER, () => null, { concurrency: 50 });
    const goal = await drover.enqueue({
      title: 'Trace',
      tasks: pieces.map(({ name, needs, length }) => ({
        name,
        needs: [...needs],
        capability: name.startsWith(BARRIER) ? BARRIER : CAPABILITY,
        // Microseconds for milliseconds: what counts is how they compare.
        expected: Math.round(length * 1_000),
        with: { ms: length },
      })),
    });
    // Once all are there: who begins first is up to the order, not to the enqueue.
    await drover.agent(
      CAPABILITY,
      async ({ with: { ms } }) => {
        first = Math.min(first, performance.now());
        await pause(Number(ms));
        last = performance.now();
        return null;
      },
      { concurrency: workers },
    );
    const { state } = await goal.done();
    if (state !== 'DONE') throw new Error(`The trace is ${state}.`);
    return last - first;
  });
}

/** The same tasks, each of which waits for everything of the level before. @param {readonly Piece[]} pieces @returns {Piece[]} */
function inWaves(pieces) {
  const nodes = pieces.map(({ name, needs }) => ({ id: name, needs }));
  // Levels from the beginning: the longest way back, by number of tasks.
  const reversed = nodes.map(({ id }) => ({
    id,
    needs: nodes.filter(({ needs }) => needs.includes(id)).map((other) => other.id),
  }));
  const levels = ranks(reversed, () => 1);
  const deepest = Math.max(...levels.values());
  const waves = range(1, deepest + 1).map((level) =>
    pieces.filter(({ name }) => levels.get(name) === level),
  );
  return waves.flatMap((wave, index) => [
    ...wave.map((piece) => ({ ...piece, needs: index === 0 ? [] : [`${BARRIER}-${index}`] })),
    { name: `${BARRIER}-${index + 1}`, needs: wave.map(({ name }) => name), length: 0 },
  ]);
}
