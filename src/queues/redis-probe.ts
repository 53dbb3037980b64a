/** Asks whoever listens on a unix socket whether it is a Redis that is ready. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { messageOf } from '../core/errors.js';

/** `absent`: nobody listens. `silent`: somebody does, but does not answer as Redis would. */
export type Answer = { state: 'absent' | 'silent' | 'loading' } | { state: 'ready'; pid: number };

export async function ask(socket: string): Promise<Answer> {
  const client = new Redis({
    path: socket,
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
  });
  // What goes wrong with the connection arrives here; the command itself only says that it is closed.
  let cause: unknown;
  client.on('error', (error) => (cause = error));
  try {
    await client.ping();
    const info = await client.info('server');
    return { state: 'ready', pid: Number(/^process_id:(\d+)/m.exec(info)?.[1]) };
  } catch (error) {
    if (messageOf(error).startsWith('LOADING')) return { state: 'loading' };
    const absent = ['ENOENT', 'ECONNREFUSED'].some((code) => hasCode(cause, code));
    return { state: absent ? 'absent' : 'silent' };
  } finally {
    client.disconnect();
  }
}

/** Resolves when a server that is nobody's child has ended: its connections close with it. */
export async function ended(socket: string, pid: number): Promise<void> {
  for (;;) {
    await new Promise((resolve) => {
      const connection = connect(socket)
        .unref()
        .on('error', () => undefined)
        .once('close', resolve);
      connection.resume();
    });
    // A connection can also be closed alone, by CLIENT KILL.
    const answer = await ask(socket);
    if (answer.state === 'absent' || (answer.state === 'ready' && answer.pid !== pid)) return;
    await delay(50);
  }
}

/** Whether it is a system error of that kind. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
