/** How fast the recorder drains what was written while it was away, and how far it is behind under load. */
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { connectDrover, createDrover } from '../dist/index.js';
import { Log } from '../dist/log/log.js';
import {
  CAPABILITY,
  droverOptions,
  eventsOf,
  pause,
  range,
  recorded,
  round,
  spread,
  withDrover,
  withRedis,
} from './harness.mjs';
import { chain, chains, diamond } from './plans.mjs';

export const about =
  'events per second it drains after an absence, and its lag under the load of throughput';
export const defaults = { events: 50_000, goals: 100, concurrency: 50, rounds: 10 };

/** Entries that a task of a goal without failures leaves in its stream and that become events. */
const PER_TASK = 5;
/** Tasks in one goal of the absence. */
const SIZE = 100;

/** @param {typeof defaults} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ events, goals, concurrency, rounds }) {
  return withRedis(async (place) => {
    const drained = await drain(place, Math.ceil(events / PER_TASK / SIZE), concurrency);
    const inChains = await lags(place, 'chain', { goals, rounds, concurrency });
    const inDiamonds = await lags(place, 'diamond', { goals, rounds, concurrency });
    return {
      figures: { drain: drained, lag: [...inChains, ...inDiamonds] },
      tables: [
        { title: 'catching up after an absence', rows: [drained] },
        {
          title: 'age of the oldest entry that is not in the log yet, milliseconds, under load',
          rows: [...inChains, ...inDiamonds],
        },
      ],
      notes: [
        '`start ms` is a whole start of Drover, until everything is recorded; `per second` counts all of it.',
        'The entries are those of real no-op tasks, run by agents while no supervisor was there.',
        `Lag was sampled every 2 ms or so while ${goals} goals of 10 tasks ran at concurrency ${concurrency} in the same process; 0 where nothing was unrecorded. Redis’ clock counts whole milliseconds.`,
        `\`first\` is the round after a start, when nothing is compiled yet; \`later\` is the last ${rounds} of ${2 * rounds} more with the same supervisor.`,
        'Not measured: large results, many capability queues, a disk that others keep busy.',
      ],
    };
  });
}

/** @param {import('./harness.mjs').Place} place @param {number} goals @param {number} concurrency */
async function drain(place, goals, concurrency) {
  const options = droverOptions(place, await mkdtemp(join(place.dir, 'log-')));
  const first = await createDrover(options);
  const tasks = chains(SIZE / 10, 10);
  for (const index of range(goals)) await first.enqueue({ title: `Goal ${index}`, tasks });
  await first.close();

  const agents = await connectDrover(options);
  await agents.agent(CAPABILITY, () => ({}), { concurrency });
  const completed = `${options.prefix}:${CAPABILITY}:completed`;
  while ((await place.client.zcard(completed)) < goals * SIZE) await pause(50);
  await agents.close();

  const log = Log.read(options.dataDir);
  const before = log.lastSeq();
  log.close();
  const began = performance.now();
  const second = await createDrover(options);
  await recorded(second);
  const ms = performance.now() - began;
  const events = eventsOf(second) - before;
  const open = second.ledger.board.inState('OPEN', 'SETTLED').length;
  if (open > 0) throw new Error(`${open} goals are not done.`);
  await second.close();
  return { events, 'start ms': round(ms), 'per second': round((events / ms) * 1_000) };
}

/**
 * @param {import('./harness.mjs').Place} place
 * @param {'chain' | 'diamond'} shape
 * @param {Pick<typeof defaults, 'goals' | 'rounds' | 'concurrency'>} load
 */
async function lags(place, shape, { goals, rounds, concurrency }) {
  const tasks = shape === 'chain' ? chain(10) : diamond(8);
  return withDrover(place, async (drover, dataDir) => {
    await drover.agent(CAPABILITY, () => ({}), { concurrency });
    const workerData = { dataDir, redis: place.redis, prefix: drover.prefix };
    /** @type {number[][]} */
    const ages = [];
    while (ages.length <= 2 * rounds) {
      const sampler = new Worker(new URL('lag-thread.mjs', import.meta.url), { workerData });
      await once(sampler, 'message');
      const handles = await Promise.all(
        range(goals).map((index) => drover.enqueue({ title: `Goal ${index}`, tasks })),
      );
      await Promise.all(handles.map((handle) => handle.done()));
      await recorded(drover);
      sampler.postMessage('stop');
      const [sampled] = await once(sampler, 'message');
      ages.push(sampled);
    }
    return [
      { shape, round: 'first', ...spread(ages[0]) },
      { shape, round: 'later', ...spread(ages.slice(-rounds).flat()) },
    ];
  });
}
