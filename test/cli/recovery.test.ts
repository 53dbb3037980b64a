/** How soon the work of a killed process is taken up is said by one option of every command that works. */
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { connect } from '../../src/queues/connection.js';
import { redisSocketOf } from '../../src/queues/redis-process.js';
import { HOLDING, type Place, places, taskStates, until } from './support.js';

const place = places();

/** Milliseconds that Redis still keeps keys of the queue `shell`: the lock of the task, and when claims are looked at again. */
async function kept({ data }: Place): Promise<{ lock: number; look: number }> {
  const { client, close } = await connect({ path: redisSocketOf(data) });
  try {
    const [lock, look] = await Promise.all(
      ['task-1:lock', 'stalled-check'].map((key) => client.pttl(`drover:shell:${key}`)),
    );
    return { lock: lock!, look: look! };
  } finally {
    await close();
  }
}

describe('--recovery', () => {
  it.each(['up', 'agent', 'run'])('of %s says how long its claims outlive it', async (command) => {
    const here = await place();
    const flow = await here.flow(HOLDING);
    const recovery = ['--recovery', '40m'];
    if (command === 'run') here.start(['run', flow, ...recovery]);
    else {
      const own = command === 'up' ? ['shell', ...recovery] : ['nothing'];
      const up = here.start(['up', '--port', '0', '--agents', ...own]);
      await up.says(/Bull Board/);
      if (command === 'agent') here.start(['agent', 'shell', ...recovery]);
      expect(await here.drover(['enqueue', flow])).toMatchObject({ code: 0 });
    }
    await here.pid('shell.pid');
    const { lock, look } = await kept(here);
    const minute = 60_000;
    expect(lock).toBeGreaterThan(15 * minute);
    expect(lock).toBeLessThanOrEqual(20 * minute);
    expect(look).toBeGreaterThan(5 * minute);
    expect(look).toBeLessThanOrEqual(10 * minute);
    await writeFile(join(here.project, 'go'), '');
  });

  it('lets another agent take up what one was killed at, also where they differ', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0', '--agents', 'nothing', '--recovery', '8s']);
    await up.says(/Bull Board/);
    const first = here.start(['agent', 'shell', '--recovery', '2s']);
    await first.says(/Offers shell/);
    expect(await here.drover(['enqueue', await here.flow(HOLDING)])).toMatchObject({ code: 0 });
    await here.pid('shell.pid');
    first.child.kill('SIGKILL');
    const second = here.start(['agent', 'shell', '--recovery', '4s']);
    await writeFile(join(here.project, 'go'), '');
    await second.says(/Offers shell/);
    await until(() => taskStates(here, 'goal-1').every((state) => state === 'DONE'));
    const { out } = await here.drover(['status', 'goal-1', '--json']);
    expect(JSON.parse(out)).toMatchObject({ tasks: [{ claims: 2 }, { claims: 1 }] });
  });

  it.each(['1s', '2h', 'soon', '5'])('refuses %s, and says what can be given', async (time) => {
    const here = await place();
    for (const command of [['up'], ['agent', 'shell'], ['run', 'none.yaml']]) {
      const { code, err } = await here.drover([...command, '--recovery', time]);
      expect(code).toBe(2);
      expect(err).toContain(`--recovery must be a time from 2s to 1h, not ‘${time}’.`);
    }
  });
});
