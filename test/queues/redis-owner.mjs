/** Starts the managed Redis of a folder and waits to be killed. */
import { startRedisServer } from '../../dist/queues/redis-server.js';

const server = await startRedisServer({ dir: process.argv[2] });
process.stdout.write(JSON.stringify({ pid: server.pid, adopted: server.adopted }));
setInterval(() => undefined, 60_000);
