/** Which errors say no more than that Redis is away: they are told once, and not for each try. */
import { connect, type NetConnectOpts } from 'node:net';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../src/core/errors.js';
import { saysAway } from '../../src/queues/away.js';

const failed = (options: NetConnectOpts): Promise<Error> =>
  new Promise((resolve) => {
    connect(options).once('error', resolve);
  });

describe('a connection that fails', () => {
  it.each([
    ['at a port where nobody listens', { port: 1, host: '127.0.0.1' }],
    ['at a socket that is not there', { path: '/nowhere/redis.sock' }],
    [
      'at each of the addresses of its host',
      {
        port: 1,
        host: 'redis.test',
        lookup: (_name, _options, found) =>
          found(null, [
            { address: '127.0.0.1', family: 4 },
            { address: '127.0.0.2', family: 4 },
          ]),
      },
    ],
  ] satisfies [string, NetConnectOpts][])('%s says that it is away', async (_where, options) => {
    const error = await failed(options);
    expect(saysAway(error)).toBe(true);
    expect(messageOf(error)).toContain('connect E');
  });

  it.each(['connect EACCES /run/redis.sock', 'connect EMFILE 127.0.0.1:6379'])(
    'by %s is for a person',
    (message) => {
      expect(saysAway(new Error(message))).toBe(false);
    },
  );
});
