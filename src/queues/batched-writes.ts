/**
 * Sends the commands of one turn of the event loop together.
 *
 * ioredis writes each command by itself. A write to a socket costs more processor time than making the command
 * does, here and in Redis, which reads and answers each alone. Under load one read brings many replies, and their
 * continuations send many commands: held back until all of them have run, they leave in one write, and nobody waits
 * longer, because nothing else happens meanwhile. Measured: docs/benchmarks.md.
 */
import type { Socket } from 'node:net';
import type { Redis } from 'ioredis';

export function batchWrites(client: Redis): void {
  // Each connection, and there is a new one after each loss, has a socket of its own.
  client.on('connect', () => hold(client.stream));
}

function hold(socket: Socket): void {
  let isHeld = false;
  const send = (): void => {
    isHeld = false;
    socket.uncork();
  };
  const write = socket.write.bind(socket);
  // ioredis knows one way to send, so this is the place that sees every command.
  socket.write = ((...args: Parameters<typeof write>) => {
    if (!isHeld) {
      isHeld = true;
      socket.cork();
      process.nextTick(send);
    }
    return write(...args);
  }) as typeof socket.write;
}
