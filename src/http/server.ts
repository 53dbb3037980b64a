/** Drover over HTTP: Bull Board at `/queues`, and a health check. Loopback only unless there is a token. */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { DroverError, messageOf } from '../core/errors.js';
import type { RedisClient } from '../queues/connection.js';
import { createBoard } from './board.js';
import {
  checkExposure,
  checkOrigin,
  checkToken,
  isLoopback,
  securityHeaders,
  tellError,
} from './door.js';

export interface HttpOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  /** Names of the queues to show. */
  readonly queues: () => readonly string[];
  /** Default 127.0.0.1; anything but loopback needs a token. */
  readonly host?: string;
  /** Default 4400; 0 takes any free one. */
  readonly port?: number;
  readonly token?: string | undefined;
  /** True: Bull Board may change jobs; default false. */
  readonly boardWrite?: boolean;
}

export interface HttpServer {
  readonly url: string;
  readonly close: () => Promise<void>;
}

export const DEFAULT_PORT = 4400;
const BOARD = '/queues';

/** @throws DroverError `bad-input` where it would be open to others, `conflict` where the port is taken. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { client, prefix, queues, port = DEFAULT_PORT, token } = options;
  // In an address IPv6 stands in brackets; to listen, it must not.
  const host = (options.host ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1');
  checkExposure(host, token);
  const board = createBoard({
    client,
    prefix,
    queues,
    writable: options.boardWrite ?? false,
    path: BOARD,
  });
  const app = express().disable('x-powered-by');
  app.get('/healthz', (_request, response) => void response.json({ ok: true }));
  app.use(securityHeaders, checkOrigin(token), checkToken(token));
  app.get('/', (_request, response) => response.redirect(BOARD));
  app.use(BOARD, board.prepare, board.router);
  app.use(tellError);
  const server = app.listen(port, host);
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (error) => reject(explain(error, host, port)));
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${nameOf(host)}:${bound}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await board.close();
    },
  };
}

function nameOf(host: string): string {
  if (isLoopback(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function explain(error: Error, host: string, port: number): Error {
  const taken = 'code' in error && error.code === 'EADDRINUSE';
  return new DroverError(
    'conflict',
    taken
      ? `Port ${port} on ${host} is taken.`
      : `Cannot listen on ${host}:${port}: ${messageOf(error)}.`,
    taken
      ? 'Choose another port with --port.'
      : 'Choose another address with --host, or another port.',
    { cause: error },
  );
}
