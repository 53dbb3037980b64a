/** Whether a Redis can carry Drover's queues, judged from what it says of itself in INFO. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { DroverError, messageOf } from '../core/errors.js';
import { isAtLeast } from '../core/version-order.js';

/** The oldest Redis that BullMQ recommends. */
const OLDEST_VERSION = '6.2.0';

export interface RedisFacts {
  readonly version: string;
  /** What works, but should be known. */
  readonly warnings: readonly string[];
}

/**
 * Asks the server and refuses one that would lose or refuse jobs; waits while it loads its data.
 * @param timeout milliseconds for one answer; 5 s unless given
 * @throws DroverError `redis-unreachable` or `redis-unsuitable`
 */
export async function checkRedis(client: Redis, timeout = 5_000): Promise<RedisFacts> {
  for (;;) {
    const info = parseInfo(await within(timeout, client));
    if (info.get('loading') !== '1') return judgeRedis(info);
    await delay(200);
  }
}

/** INFO's fields by name. */
export function parseInfo(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^([a-z0-9_]+):(.*?)\r?$/gm)].map(([, name, value]) => [name!, value!]),
  );
}

/** @throws DroverError `redis-unsuitable` */
export function judgeRedis(info: ReadonlyMap<string, string>): RedisFacts {
  const version = info.get('redis_version') ?? 'unknown';
  // Valkey and other descendants name the Redis they are compatible with.
  if (!isAtLeast(version, OLDEST_VERSION) || version === 'unknown') {
    throw new DroverError(
      'redis-unsuitable',
      `The Redis is of version ${version}; Drover needs ${OLDEST_VERSION} or newer.`,
      'Upgrade it (Redis 7 or Valkey 8), or unset REDIS_URL to have Drover run one of its own.',
    );
  }
  if (info.get('cluster_enabled') === '1' || info.get('redis_mode') === 'cluster') {
    throw new DroverError(
      'redis-unsuitable',
      'The Redis is a cluster; a goal needs all its queues on one server.',
      'Point REDIS_URL to a single server, with replicas if you like.',
    );
  }
  if (info.get('role') === 'slave') {
    throw new DroverError(
      'redis-unsuitable',
      'The Redis is a replica and takes no writes.',
      `Point REDIS_URL to its primary, ${info.get('master_host')}:${info.get('master_port')}.`,
    );
  }
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  if (policy !== 'noeviction') {
    throw new DroverError(
      'redis-unsuitable',
      `The Redis evicts keys when its memory is full (maxmemory-policy ${policy}) and would lose jobs.`,
      'Run `redis-cli CONFIG SET maxmemory-policy noeviction` and write `maxmemory-policy noeviction` ' +
        'into its redis.conf; with a managed service, set it in the console of the service.',
    );
  }
  const warnings: string[] = [];
  if (info.get('aof_enabled') === '0') {
    warnings.push(
      'The Redis keeps no append-only file (appendonly no): after a crash of Redis, open goals are rebuilt from ' +
        'the log and tasks that were running run again. `CONFIG SET appendonly yes` avoids that.',
    );
  }
  return { version, warnings };
}

/** BullMQ's kind of connection waits for Redis for ever; a check must not. */
async function within(timeout: number, client: Redis): Promise<string> {
  const giveUp = new AbortController();
  const late = delay(timeout, undefined, { signal: giveUp.signal }).then(() => {
    throw new Error(`no answer within ${timeout / 1000} s`);
  });
  try {
    return await Promise.race([client.info(), late]);
  } catch (error) {
    const { path, host, port } = client.options;
    throw new DroverError(
      'redis-unreachable',
      `Redis at ${path ?? `${host}:${port}`} cannot be reached: ${messageOf(error)}`,
      'Start it (`docker compose up redis`, or see `redis.log` in the data directory), or correct REDIS_URL.',
      { cause: error },
    );
  } finally {
    giveUp.abort();
    // Its rejection by the abort is nobody's concern.
    late.catch(() => undefined);
  }
}
