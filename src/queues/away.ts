/** A Redis that is away: told once when it goes and once when it is back, in place of an error for each try. */
import type { Redis } from 'ioredis';
import { messageOf } from '../core/errors.js';

/** Calls `gone` when the connection is lost, and `back` when it stands again; returns how to stop that. */
export function followAway(
  client: Redis,
  { gone, back }: { readonly gone: () => void; readonly back: () => void },
): () => void {
  let away = false;
  // Every try to connect again ends with `close` as well.
  const onClose = (): void => {
    if (away) return;
    away = true;
    gone();
  };
  const onReady = (): void => {
    if (!away) return;
    away = false;
    back();
  };
  client.on('close', onClose);
  client.on('ready', onReady);
  return () => {
    client.off('close', onClose);
    client.off('ready', onReady);
  };
}

export const AWAY = 'Redis is away; everything goes on when it is back';

/** What connecting comes to where nobody answers; that this process may not, or has no files left, is another matter. */
const AWAY_CODES = 'E(CONN|HOST|NET)[A-Z]+|ENOENT|ETIMEDOUT|EPIPE';
const SAYS_AWAY = new RegExp(
  `^connect (${AWAY_CODES})|^getaddrinfo |^read ECONNRESET|^write EPIPE|^Connection is closed`,
);

/** True of errors that say no more than that Redis is away. They come by message: threads pass on nothing else. */
export const saysAway = (error: Error): boolean => SAYS_AWAY.test(messageOf(error));
