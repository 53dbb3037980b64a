/** Asks Redis for a sign of life again and again. A thread of its own, because a busy main thread would time itself. */
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { pause, plainConnection } from './harness.mjs';

const client = plainConnection(workerData);
let longest = 0;
parentPort.once('message', () => {
  parentPort.postMessage(longest);
  // Ends the thread.
  process.exit();
});
await client.ping();
parentPort.postMessage('ready');
for (;;) {
  const began = performance.now();
  await client.ping();
  longest = Math.max(longest, performance.now() - began);
  await pause(1);
}
