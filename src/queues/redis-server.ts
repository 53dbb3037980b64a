/**
 * A Redis of Drover's own, for people who have none running: a child process on a unix socket, with its data
 * below the data directory.
 *
 * Kept here: until `stop`, a server runs or is being started again from its append-only file, however often and
 * by whatever it was ended; after `stop`, none does.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DroverError, messageOf } from '../core/errors.js';
import { bringUpRedis } from './redis-process.js';

/** Milliseconds before a server that ended is started again; doubled each time, up to the limit. */
const FIRST_BACKOFF = 100;
const LONGEST_BACKOFF = 5_000;
/** Milliseconds a server must have run for the backoff to begin anew. */
const STABLE = 10_000;
/** Milliseconds that a stopping server gets to save its data. */
const GRACE = 10_000;

export interface RedisServerOptions {
  /** The data directory; the server keeps `redis/`, `redis.log` and `redis.json` in it. */
  readonly dir: string;
  /** Program to run; `redis-server` or `valkey-server` from PATH unless given. */
  readonly binary?: string;
  /** The server had ended and runs again, or could not be started and will be tried again. */
  readonly onRestart?: (outcome: { pid: number } | { error: DroverError }) => void;
}

export interface ManagedRedis {
  /** For ioredis and BullMQ; stays the same when the server is started again. */
  readonly connection: { readonly path: string };
  readonly pid: number;
  /** The server ran already, left behind by an owner that was killed. */
  readonly adopted: boolean;
  /** Lets the server save its data and waits for its end; kills it after 10 s. */
  stop(): Promise<void>;
  /** Asks the server to save and end without waiting, for an owner that has to go at once. */
  stopNow(): void;
}

/**
 * Starts the data directory's Redis, or adopts the one an earlier owner left running.
 * @throws DroverError `redis-unreachable` where there is no Redis to run or it does not start
 */
export async function startRedisServer(options: RedisServerOptions): Promise<ManagedRedis> {
  let server = await bringUpRedis(options.dir, options.binary);
  const { socket, adopted } = server;
  const stopping = new AbortController();

  const keepRunning = async (): Promise<void> => {
    let backoff = FIRST_BACKOFF;
    let since = Date.now();
    for (;;) {
      await server.gone;
      if (Date.now() - since > STABLE) backoff = FIRST_BACKOFF;
      // An aborted delay rejects; the line below is what ends the loop.
      await delay(backoff, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      backoff = Math.min(backoff * 2, LONGEST_BACKOFF);
      since = Date.now();
      try {
        server = await bringUpRedis(options.dir, options.binary);
        if (stopping.signal.aborted) server.signal('SIGTERM');
        else options.onRestart?.({ pid: server.pid });
      } catch (error) {
        options.onRestart?.({ error: asDroverError(error) });
      }
    }
  };
  const kept = keepRunning();

  const stopNow = (): void => {
    stopping.abort();
    server.signal('SIGTERM');
  };
  return {
    connection: { path: socket },
    get pid() {
      return server.pid;
    },
    adopted,
    stopNow,
    async stop() {
      stopNow();
      const killing = setTimeout(() => server.signal('SIGKILL'), GRACE);
      await kept.finally(() => clearTimeout(killing));
      await rm(join(options.dir, 'redis.json'), { force: true });
    },
  };
}

function asDroverError(error: unknown): DroverError {
  if (error instanceof DroverError) return error;
  return new DroverError('redis-unreachable', messageOf(error), undefined, { cause: error });
}
