/** Connections to Redis: that they answer, and how they end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { DroverError, messageOf } from '../core/errors.js';
import { batchWrites } from './batched-writes.js';
import { openRedis, type RedisSource } from './redis-source.js';
import { Silence, SILENT } from './silence.js';

export type RedisClient = Redis;

export interface Connection {
  readonly client: Redis;
  /** One more connection to the same Redis, for a blocking read or a subscription; the caller closes it. */
  readonly duplicate: () => Redis;
  readonly close: () => Promise<void>;
}

/** How long a first answer may take, milliseconds. */
const FIRST_ANSWER = 5_000;

/**
 * Connects and waits for a first answer.
 * @throws DroverError `redis-unreachable` within about 5 s, saying how to start one; `bad-input`
 */
export async function connect(source: RedisSource): Promise<Connection> {
  const client = openRedis(source);
  client.on('error', ignore);
  batchWrites(client);
  try {
    await answered(client);
  } catch (error) {
    client.disconnect();
    throw unreachable(describeRedis(client), error);
  }
  return {
    client,
    duplicate() {
      const copy = client.duplicate();
      copy.on('error', ignore);
      return copy;
    },
    async close() {
      await Promise.race([client.quit().catch(ignore), delay(1_000)]);
      client.disconnect();
    },
  };
}

/** Milliseconds between two tries to reach a Redis that is not there yet. */
const AGAIN = 500;

/**
 * Waits until Redis answers, however long that takes.
 * @param onAway is told once why it does not, where it does not at first
 * @throws DroverError `redis-unreachable` where it answers and does not let Drover in; `bad-input`
 */
export async function untilAnswered(
  source: RedisSource,
  onAway: (why: DroverError) => void,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      const { close } = await connect(source);
      return await close();
    } catch (error) {
      if (!isAway(error)) throw error;
      if (tries === 1) onAway(error);
    }
    await sleep(AGAIN);
  }
}

const isAway = (error: unknown): error is DroverError =>
  error instanceof DroverError &&
  error.code === 'redis-unreachable' &&
  !REFUSAL.test(messageOf(error.cause));

/** What a server says that asks for another user or password; starting one would not help. */
const REFUSAL = /^(NOAUTH|WRONGPASS|NOPERM)\b/;

function unreachable(where: string, cause: unknown): DroverError {
  const reason = messageOf(cause).replace(/\.+$/, '');
  return REFUSAL.test(reason)
    ? new DroverError(
        'redis-unreachable',
        `Redis at ${where} does not let Drover in: ${reason}.`,
        'Give the user and password that it wants in its address: redis://user:password@host:6379, or redis://:password@host:6379.',
        { cause },
      )
    : new DroverError(
        'redis-unreachable',
        `Redis at ${where} does not answer: ${reason}.`,
        'Start it (`redis-server`, or `docker compose up -d redis`) or set REDIS_URL to one that runs.',
        { cause },
      );
}

/** Milliseconds that Redis may be away before nobody waits for it any more who wants to end. */
const PATIENCE = 2_000;
/** Milliseconds between two looks at it. */
const LOOK = 100;
/**
 * Those for which somebody has waited in vain, until they answer: on the same way to the end nobody waits as long once
 * more.
 */
const givenUp = new WeakSet<Redis>();

function giveUp(client: Redis): void {
  if (givenUp.has(client)) return;
  givenUp.add(client);
  // A report is given up as well, and what comes after it may be well worth waiting for.
  client.ping().then(() => givenUp.delete(client), ignore);
}

/**
 * Waits for `work` on the way to the end, unless Redis stays away or silent: commands would wait for it for ever. What is
 * left undone then is taken up at the next start.
 */
export async function unlessAway(client: Redis, work: Promise<unknown>): Promise<void> {
  let since = Number.POSITIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const silence = new Silence(client);
  const away = new Promise<void>((resolve) => {
    timer = setInterval(() => {
      since = client.status === 'ready' ? Number.POSITIVE_INFINITY : Math.min(since, Date.now());
      const inVain = Date.now() - since >= PATIENCE || silence.look() * LOOK >= SILENT;
      if (inVain) giveUp(client);
      if (givenUp.has(client)) resolve();
    }, LOOK);
  });
  try {
    await Promise.race([work, away]);
  } finally {
    clearInterval(timer);
    work.catch(() => undefined);
  }
}

/** Host and port, or socket; never the password. */
export function describeRedis(client: Redis): string {
  const { host, port, path } = client.options;
  return path ?? `${host ?? 'localhost'}:${port ?? 6379}`;
}

async function answered(client: Redis): Promise<void> {
  const failed = new Promise<never>((_, reject) => {
    client.once('error', reject);
  });
  const late = delay(FIRST_ANSWER).then(() => {
    throw new Error(`no answer within ${FIRST_ANSWER / 1_000} s`);
  });
  await Promise.race([client.ping(), failed, late]);
}

const delay = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

/** ioredis reconnects by itself; what matters surfaces where a command is awaited. */
const ignore = (): void => undefined;
