/** A Redis that is away: told once when it goes and once when it is back, in place of an error for each try. */
import type { Redis } from 'ioredis';

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

/** True of errors that say no more than that Redis is away. They come by message: threads pass on nothing else. */
export const saysAway = ({ message }: Error): boolean =>
  /^connect E|^getaddrinfo |^read ECONNRESET|^write EPIPE|^Connection is closed/.test(message);
