/** What a caller may name a Redis by, and Drover's own connection to it. */
import { Redis, type RedisOptions } from 'ioredis';
import { DroverError } from '../core/errors.js';

/** A URL or the path of a socket, ioredis options, or an instance. */
export type RedisSource = string | RedisOptions | Redis;

/** What the engine relies on, whatever the caller's own connection is like. */
const OURS = {
  // BullMQ's workers must wait for Redis to come back rather than give up after some tries.
  maxRetriesPerRequest: null,
  retryStrategy: (tries: number) => Math.min(tries * 50, 1_000),
  enableOfflineQueue: true,
  lazyConnect: false,
  autoResubscribe: true,
  // Version 3 answers XREAD in another shape.
  protocol: 2,
  replyMapping: 'legacy',
  stringNumbers: false,
} as const satisfies RedisOptions;

const REMEDY =
  'Give a URL like redis://127.0.0.1:6379, the path of a socket, or options of ioredis.';
const refused = (why: string, remedy = REMEDY): DroverError =>
  new DroverError('bad-input', `The Redis to use ${why}.`, remedy);

/**
 * A connection of Drover's own. A caller's instance is copied, not used: it stays theirs to close, and its limits stay out
 * of the engine.
 * @throws DroverError `bad-input`
 */
export function openRedis(source: RedisSource): Redis {
  const portable = portableSource(source);
  const client =
    typeof portable === 'string' ? new Redis(portable, OURS) : new Redis({ ...portable, ...OURS });
  const { keyPrefix } = client.options;
  if (!keyPrefix) return client;
  client.on('error', () => undefined);
  client.disconnect();
  throw refused(
    `has the keyPrefix ‘${keyPrefix}’, with which BullMQ does not work`,
    'Leave it out, and say with the option `prefix` what keys begin with.',
  );
}

/**
 * A source that can be sent to a thread: functions among the options cannot, and have defaults. An instance is known by its
 * looks, because one of another copy of ioredis is no `Redis` here: taken for options it would mean localhost.
 * @throws DroverError `bad-input`
 */
export function portableSource(source: unknown): string | RedisOptions {
  if (typeof source === 'string') return knownAddress(source);
  if (typeof source !== 'object' || source === null)
    throw refused(`is neither named nor described: ${source === null ? 'null' : typeof source}`);
  if ('isCluster' in source && source.isCluster === true) {
    throw refused(
      'is a Redis Cluster',
      'Use one Redis server: Drover does not work with a cluster.',
    );
  }
  const isInstance = 'options' in source && 'duplicate' in source;
  // These would end reads that wait for something to happen.
  const {
    commandTimeout: _,
    socketTimeout: __,
    ...options
  } = (isInstance ? source.options : source) as RedisOptions;
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => typeof value !== 'function'),
  );
}

/** ioredis takes whatever it cannot read for the path of a socket. The address may hold a password: it is not repeated. */
function knownAddress(address: string): string {
  const isUrl = /^rediss?:\/\//i.test(address);
  if (isUrl ? URL.canParse(address) : /^(\/|\d+$)/.test(address)) return address;
  throw refused(isUrl ? 'has an address that is no valid URL' : 'has an address of another kind');
}
