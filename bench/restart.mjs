/** Seconds from the start of Drover on a log with open goals until their first task starts. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createDrover } from '../dist/index.js';
import { CAPABILITY, median, range, round, withFolder } from './harness.mjs';
import { chains } from './plans.mjs';

export const about =
  'seconds until work goes on with 10,000 open tasks in the log, Redis intact or empty';
export const defaults = { tasks: 10_000, rounds: 3 };

/** Tasks in one goal. */
const SIZE = 100;

/** @param {typeof defaults} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ tasks, rounds }) {
  const goals = Math.ceil(tasks / SIZE);
  const intact = [];
  const empty = [];
  for (let turn = 0; turn < rounds; turn += 1) {
    await withFolder(async (dataDir) => {
      await fill(dataDir, goals);
      intact.push(await start(dataDir));
      await rm(join(dataDir, 'redis'), { recursive: true });
      empty.push(await start(dataDir));
    });
  }
  const row = (
    /** @type {string} */ what,
    /** @type {{ ready: number, first: number }[]} */ all,
  ) => ({
    what,
    'supervisor s': round(median(all.map(({ ready }) => ready))),
    'first task s': round(median(all.map(({ first }) => first))),
    'slowest s': round(Math.max(...all.map(({ first }) => first))),
  });
  const rows = [row('Redis intact', intact), row('Redis lost everything', empty)];
  return {
    figures: { intact: rows[0], empty: rows[1] },
    tables: [{ title: `${goals * SIZE} open tasks in ${goals} goals, medians of ${rounds}`, rows }],
    notes: [
      '`supervisor s` is the start of Drover with a Redis of its own, loading its append-only file included; `first task s` ends when an agent that is started right then calls its handler.',
      'It always runs on a Redis of its own, because it throws that one’s data away.',
      'Not measured: the start of Node itself, tasks that were running, journals of finished steps.',
    ],
  };
}

/** @param {string} dataDir @param {number} goals */
async function fill(dataDir, goals) {
  const drover = await createDrover(optionsFor(dataDir));
  const tasks = chains(SIZE / 10, 10);
  for (const index of range(goals)) await drover.enqueue({ title: `Goal ${index}`, tasks });
  await drover.close();
}

/** @param {string} dataDir */
async function start(dataDir) {
  const began = performance.now();
  const drover = await createDrover(optionsFor(dataDir));
  const ready = performance.now() - began;
  /** @type {number} */
  const first = await new Promise((resolve, reject) => {
    const handle = async (/** @type {{ signal: AbortSignal }} */ { signal }) => {
      resolve(performance.now() - began);
      // Held until Drover is closed, so that no task is finished.
      await new Promise((_, give) => {
        signal.addEventListener('abort', () => give(signal.reason), { once: true });
      });
    };
    drover.agent(CAPABILITY, handle, { concurrency: 1 }).catch(reject);
  });
  await drover.close({ force: true });
  return { ready: ready / 1_000, first: first / 1_000 };
}

/** @param {string} dataDir */
function optionsFor(dataDir) {
  // Whatever REDIS_URL says: the managed one, which a given `redis` option would replace.
  delete process.env.REDIS_URL;
  return { dataDir, projectsDir: join(dataDir, 'projects') };
}
