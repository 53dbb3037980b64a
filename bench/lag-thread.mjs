/**
 * Samples how old the oldest entry is that is not in the log yet. A thread of its own, because a sampler that
 * waits for a busy main thread would only look when there is nothing to see.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Log } from '../dist/log/log.js';
import { compareEntries } from '../dist/queues/streams.js';
import { connect } from '../dist/queues/connection.js';
import { CAPABILITY, pause } from './harness.mjs';

const { dataDir, redis, prefix } = workerData;
const log = Log.read(dataDir);
const connection = await connect(redis);
const stream = `${prefix}:${CAPABILITY}:events`;
/** @type {number[]} */
const ages = [];
const stop = new AbortController();
parentPort.once('message', () => stop.abort());
parentPort.postMessage('ready');
while (!stop.signal.aborted) {
  const cursor = log.cursor(CAPABILITY);
  const [oldest] = await connection.client.xrange(stream, `(${cursor}`, '+', 'COUNT', 1);
  if (oldest) {
    const age = Date.now() - Number(oldest[0].split('-')[0]);
    // Where it was recorded while it was asked for, nothing lags.
    ages.push(compareEntries(log.cursor(CAPABILITY), oldest[0]) >= 0 ? 0 : age);
  } else {
    ages.push(0);
  }
  await pause(2);
}
log.close();
await connection.close();
parentPort.postMessage(ages);
