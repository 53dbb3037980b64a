/**
 * A Redis that is away, or keeps its connection and does not answer: told once when that begins and once when it is over, in
 * place of an error for each try.
 */
import type { Redis } from 'ioredis';
import { messageOf } from '../core/errors.js';
import { describeRedis } from './connection.js';
import { Silence, SILENT } from './silence.js';

/** Milliseconds between two looks whether it answers. */
const LOOK = 1_000;

/**
 * Calls `gone` with the reason when the connection is lost or nothing is answered on it, and `back` when something is again;
 * returns how to stop that.
 */
export function followAway(
  client: Redis,
  { gone, back }: { readonly gone: (reason: string) => void; readonly back: () => void },
): () => void {
  let isTold = false;
  const tell = (reason: string | null): void => {
    if (isTold === (reason !== null)) return;
    isTold = reason !== null;
    if (reason === null) back();
    else gone(reason);
  };
  // Every try to connect again ends with `close` as well.
  const onClose = (): void => tell(AWAY);
  // It answers by then: ioredis has asked.
  const onReady = (): void => tell(null);
  const silence = new Silence(client);
  const timer = setInterval(() => {
    const silent = silence.look() * LOOK;
    if (client.status !== 'ready') return;
    if (silent >= SILENT) tell(silentText(client));
    else if (silent === 0) tell(null);
  }, LOOK);
  timer.unref();
  client.on('close', onClose);
  client.on('ready', onReady);
  return () => {
    clearInterval(timer);
    client.off('close', onClose);
    client.off('ready', onReady);
  };
}

const silentText = (client: Redis): string =>
  `Redis at ${describeRedis(client)} has not answered for ${SILENT / 1_000} s; everything goes on when it answers again`;

const AWAY = 'Redis is away; everything goes on when it is back';

/** What connecting comes to where nobody answers; that this process may not, or has no files left, is another matter. */
const AWAY_CODES = 'E(CONN|HOST|NET)[A-Z]+|ENOENT|ETIMEDOUT|EPIPE';
const SAYS_AWAY = new RegExp(
  `^connect (${AWAY_CODES})|^getaddrinfo |^read ECONNRESET|^write EPIPE|^Connection is closed`,
);

/** True of errors that say no more than that Redis is away. They come by message: threads pass on nothing else. */
export const saysAway = (error: Error): boolean => SAYS_AWAY.test(messageOf(error));
