/** Commands wait out what passes, and are answered in the end. */
import { describe, expect, it } from 'vitest';
import { DroverError } from '../../src/core/errors.js';
import { CommandSender, startCommandWorker } from '../../src/queues/commands.js';
import { connect } from '../../src/queues/connection.js';
import { timingOf } from '../../src/queues/timing.js';
import { testBed } from '../support/redis.js';

const bed = testBed();

describe('a command', () => {
  it('uses no attempt while the log cannot be written', async () => {
    const connection = await connect(bed.redis().connection);
    const { client } = connection;
    let tries = 0;
    const worker = startCommandWorker(
      client,
      'commands',
      async () => {
        tries += 1;
        if (tries === 1) throw new DroverError('log-unwritable', 'The disk is full.');
        return { ok: tries };
      },
      timingOf(),
      () => undefined,
    );
    const sender = new CommandSender(client, 'commands', 'somebody');
    expect(await sender.send('anything', {}, { id: 'waits' })).toBe(2);
    expect(await client.hget('commands:commands:waits', 'atm')).toBe('1');
    await sender.close();
    await worker.close();
    await connection.close();
  });
});
