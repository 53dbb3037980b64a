/** Whether memory stays flat while finished goals pile up in the log. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  CAPABILITY,
  range,
  recorded,
  redisUsage,
  round,
  withDrover,
  withRedis,
} from './harness.mjs';
import { chains } from './plans.mjs';

export const about = 'memory of supervisor and Redis over 100,000 tasks in finished goals';
export const defaults = { tasks: 100_000, size: 100, keep: 2_000, samples: 20, concurrency: 50 };

const MB = 2 ** 20;
/** Goals that run at a time. */
const TOGETHER = 10;

/** @param {typeof defaults} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ tasks, size, keep, samples, concurrency }) {
  const rows = await withRedis((place) =>
    withDrover(
      place,
      async (drover, dataDir) => {
        await drover.agent(CAPABILITY, () => ({}), { concurrency });
        const plan = chains(Math.ceil(size / 10), Math.min(size, 10));
        const goals = Math.ceil(tasks / plan.length);
        const every = Math.max(1, Math.floor(goals / samples));
        /** @type {Record<string, number>[]} */
        const taken = [];
        let running = 0;
        let done = 0;
        const next = async () => {
          while (running < goals) {
            running += 1;
            await (await drover.enqueue({ title: `Goal ${running}`, tasks: plan })).done();
            done += 1;
            if (done % every !== 0) continue;
            taken.push(await sample(drover, place.client, dataDir, done * plan.length));
          }
        };
        await Promise.all(range(TOGETHER).map(next));
        await recorded(drover);
        return taken;
      },
      { retention: { tasks: keep } },
    ),
  );
  const later = rows.slice(Math.floor(rows.length / 2));
  const slopes = Object.fromEntries(
    ['rss MB', 'heap MB', 'redis MB', 'jobs in Redis', 'log MB'].map((key) => [
      key,
      round(slope(later.map((row) => [row.tasks / 10_000, row[key]]))),
    ]),
  );
  return {
    figures: { samples: rows, slopePer10000Tasks: slopes },
    tables: [
      { title: `${tasks} tasks in goals of ${size}, jobs of ${keep} finished tasks kept`, rows },
      { title: 'growth per 10,000 tasks over the second half', rows: [{ '': 'slope', ...slopes }] },
    ],
    notes: [
      'Heap is that of the main thread after a collection; RSS, with the recording thread in it, and Redis’ used_memory are as they are. The log keeps the history, so it grows.',
      `${TOGETHER} goals run at a time; what is finished leaves Redis in sweeps of a few seconds, so jobs go up and down between them.`,
      'Not measured: large results, goals that stay open, days of running.',
    ],
  };
}

setFlagsFromString('--expose-gc');
const collect = /** @type {() => void} */ (runInNewContext('gc'));

/**
 * @param {import('../dist/index.js').Drover} drover
 * @param {import('ioredis').Redis} client
 * @param {string} dataDir
 * @param {number} tasks
 */
async function sample(drover, client, dataDir, tasks) {
  collect();
  const { rss, heapUsed } = process.memoryUsage();
  const { memory } = await redisUsage(client);
  const jobs = await client.zcard(`${drover.prefix}:${CAPABILITY}:completed`);
  const file = join(dataDir, 'drover.sqlite');
  const size = (await stat(file)).size + (await stat(`${file}-wal`)).size;
  return {
    tasks,
    'rss MB': round(rss / MB),
    'heap MB': round(heapUsed / MB),
    'redis MB': round(memory / MB),
    'jobs in Redis': jobs,
    'log MB': round(size / MB),
  };
}

/** Of the straight line that fits best. @param {(readonly [number, number])[]} points */
function slope(points) {
  const mean = (/** @type {0 | 1} */ at) =>
    points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  const under = points.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
