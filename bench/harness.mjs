/**
 * What all benchmarks share: a Redis to run on, folders that are cleaned up, percentiles, and the printing of
 * tables and notes. Figures are in milliseconds unless their name says otherwise.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { FairOrder } from '../dist/compile/fair-order.js';
import { createDrover } from '../dist/index.js';
import { connect } from '../dist/queues/connection.js';
import { startRedisServer } from '../dist/queues/redis-server.js';

/**
 * @typedef {Record<string, number | string>} Row
 * @typedef {{ title: string, rows: Row[] }} Table
 * @typedef {object} Result
 * @property {Table[]} tables for people
 * @property {Record<string, unknown>} figures for programs
 * @property {number} [ratio] Drover's figure divided by what it is compared with
 * @property {string} [ratioOf] what is divided by what; Drover by plain BullMQ unless given
 * @property {string[]} notes how it was measured, and what was not
 *
 * @typedef {object} Place
 * @property {string} dir a folder that is removed afterwards
 * @property {string | { path: string }} redis where Redis is
 * @property {import('ioredis').Redis} client
 * @property {() => string} prefix a new first part of keys; all keys below it are removed afterwards
 */

/** Capability of all tasks, and the queue of the plain jobs. */
export const CAPABILITY = 'bench';

/**
 * Runs `work` with a Redis: the one that REDIS_URL names, of which only the benchmark's own keys are touched, or
 * one that is started for it.
 * @template T
 * @param {(place: Place) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withRedis(work) {
  return withFolder(async (dir) => {
    const url = process.env.REDIS_URL;
    const server = url ? undefined : await startRedisServer({ dir });
    const redis = server ? server.connection : url;
    const connection = await connect(redis);
    /** @type {string[]} */
    const prefixes = [];
    const prefix = () => {
      prefixes.push(`drover-bench-${process.pid}-${prefixes.length + 1}`);
      return prefixes.at(-1);
    };
    try {
      return await work({ dir, redis, client: connection.client, prefix });
    } finally {
      if (url) for (const each of prefixes) await removeKeys(connection.client, `${each}:*`);
      await connection.close();
      await server?.stop();
    }
  });
}

/**
 * @template T
 * @param {(dir: string) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withFolder(work) {
  const dir = await mkdtemp(join(tmpdir(), 'drover-bench-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * Runs `work` with a new supervisor on a new log, whose folder it is given as well.
 * @template T
 * @param {Place} place
 * @param {(drover: import('../dist/index.js').Drover, dataDir: string) => Promise<T>} work
 * @param {import('../dist/index.js').DroverOptions} [options]
 * @returns {Promise<T>}
 */
export async function withDrover(place, work, options = {}) {
  const dataDir = await mkdtemp(join(place.dir, 'log-'));
  const drover = await createDrover({ ...droverOptions(place, dataDir), ...options });
  try {
    return await work(drover, dataDir);
  } finally {
    await drover.close();
  }
}

/**
 * @param {Place} place
 * @param {string} dataDir
 */
export function droverOptions({ redis, prefix }, dataDir) {
  return {
    redis,
    prefix: prefix(),
    dataDir,
    projectsDir: join(dataDir, 'projects'),
    // A benchmark's Redis need not keep an append-only file; what else goes wrong has to be seen.
    onError: (/** @type {Error} */ error) => {
      if (!error.message.includes('append-only')) console.error(error);
    },
  };
}

/** Runs `work` with first come, first served, as BullMQ alone has it. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
export async function withFifo(work) {
  const fair = Object.getOwnPropertyDescriptor(FairOrder.prototype, 'place');
  FairOrder.prototype.place = (goal, present) =>
    new Map([...goal.tasks.keys()].filter((id) => !present.has(id)).map((id) => [id, 1]));
  try {
    return await work();
  } finally {
    Object.defineProperty(FairOrder.prototype, 'place', fair);
  }
}

/** @param {import('ioredis').Redis} client @param {string} pattern */
async function removeKeys(client, pattern) {
  for await (const keys of client.scanStream({ match: pattern, count: 1_000 })) {
    if (keys.length > 0) await client.unlink(...keys);
  }
}

/** A connection for BullMQ alone, as its users make it. @param {string | { path: string }} redis */
export const plainConnection = (redis) => {
  const options = /** @type {const} */ ({ maxRetriesPerRequest: null });
  return typeof redis === 'string'
    ? new Redis(redis, options)
    : new Redis({ ...redis, ...options });
};

/**
 * Waits until everything in the streams of these queues is in the log, with its projections and cursors.
 * @param {import('../dist/index.js').Drover} drover
 * @param {string[]} queues
 */
export async function recorded({ ledger, connection, prefix }, queues = [CAPABILITY]) {
  for (const queue of queues) {
    for (;;) {
      const newer = `(${ledger.log.cursor(queue)}`;
      const behind = await connection.client.xrange(
        `${prefix}:${queue}:events`,
        newer,
        '+',
        'COUNT',
        1,
      );
      if (behind.length === 0) break;
      await pause(1);
    }
  }
}

/** Events in the log. @param {import('../dist/index.js').Drover} drover */
export const eventsOf = ({ ledger }) => ledger.log.lastSeq();

/** Redis' own account of its work, for differences. @param {import('ioredis').Redis} client */
export async function redisUsage(client) {
  const info = await client.info();
  const field = (/** @type {string} */ name) =>
    Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0);
  return {
    cpuMs: (field('used_cpu_user') + field('used_cpu_sys')) * 1_000,
    calls: field('total_commands_processed'),
    memory: field('used_memory'),
  };
}

/** Milliseconds of processor time that this process has used. */
export function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Resolves when this process does next to nothing any more: what follows a run counts for none. */
export async function quiet() {
  const [look, idle] = [200, 0.1];
  for (let before = cpuMs(); ; before = cpuMs()) {
    await pause(look);
    if (cpuMs() - before < look * idle) return;
  }
}

/** @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** @param {readonly number[]} values @param {number} part between 0 and 1 */
export function percentile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {readonly number[]} values */
export function spread(values) {
  return {
    n: values.length,
    p50: round(percentile(values, 0.5)),
    p95: round(percentile(values, 0.95)),
    p99: round(percentile(values, 0.99)),
    max: round(Math.max(...values)),
  };
}

/** Three digits that mean something. @param {number} value */
export function round(value) {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** @param {number} from @param {number} [to] */
export const range = (from, to) =>
  to === undefined
    ? Array.from({ length: from }, (_, index) => index)
    : Array.from({ length: to - from }, (_, index) => from + index);

/** The machine the figures are of. */
export async function machine() {
  const version = await withRedis(
    async ({ client }) => /redis_version:(\S+)/.exec(await client.info())?.[1],
  );
  const all = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    redis: version ?? 'unknown',
    redisIs: process.env.REDIS_URL ? 'the one of REDIS_URL' : 'a local one, on a unix socket',
  };
}

/**
 * @param {string} name
 * @param {Result} result
 * @param {Awaited<ReturnType<typeof machine>>} where
 */
export function print(name, { tables, ratio, ratioOf, notes }, where) {
  const { date, cpu, cores, memoryGB, node, redis, redisIs } = where;
  console.log(
    `${name}: ${date}, ${cpu}, ${cores} cores, ${memoryGB} GB, Node ${node}, Redis ${redis} (${redisIs})`,
  );
  for (const { title, rows } of tables) {
    console.log(`\n${title}`);
    for (const line of format(rows)) console.log(`  ${line}`);
  }
  if (ratio !== undefined) console.log(`\nratio (${ratioOf ?? 'to plain BullMQ'}): ${ratio}`);
  console.log('');
  for (const note of notes) console.log(`- ${note}`);
}

/** @param {readonly Row[]} rows */
function format(rows) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index].length)));
  return cells.map((line) =>
    line
      .map((cell, index) =>
        index === 0 ? cell.padEnd(widths[index]) : cell.padStart(widths[index]),
      )
      .join('  '),
  );
}
