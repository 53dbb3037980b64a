/** Schedules on a real Redis, through its losses, and as a library offers them. */
import { describe, expect, it } from 'vitest';
import { listSchedules } from '../../src/projections/schedules.js';
import { connectDrover, type Drover } from '../../src/index.js';
import { testBed } from '../support/redis.js';
import { agree } from './steering-support.js';

const bed = testBed();

const often = {
  name: 'often',
  cron: '* * * * * *',
  tz: 'UTC',
  goal: { title: 'Again', tasks: [{ name: 'a', capability: 'developer' }] },
};

/** Resolves when so many goals of the schedule are done, counted from the first. */
async function untilDone(drover: Drover, count: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (drover.ledger.board.inState('DONE').length < count) return;
      stop();
      resolve();
    };
    const stop = drover.ledger.onCommit(look);
    look();
  });
}

describe('a schedule', () => {
  it('fires at its times, also after Redis was emptied, each time once', async () => {
    const drover = await bed.start();
    await drover.agent('developer', async () => null);
    await drover.schedules.add(often);
    await untilDone(drover, 2);
    await drover.connection.client.flushall();
    await untilDone(drover, 4);
    await drover.schedules.pause('often', 'enough');
    const { log } = drover.ledger;
    const events = [...log.events({ goal: 'schedule/often' })];
    const dues = events.flatMap(({ event }) =>
      event.type === 'schedule.fired' ? [event.due] : [],
    );
    expect(new Set(dues).size).toBe(dues.length);
    expect(events.at(-1)).toMatchObject({ event: { type: 'schedule.paused', why: 'enough' } });
    await agree(drover);
    // It may have been firing when Redis was emptied; BullMQ misses that job.
    const others = bed.errors.filter((error) => !error.startsWith('Missing key for job repeat:'));
    expect(others).toEqual([]);
  });

  it('is rebuilt from the log alone, and asked for from other processes', async () => {
    const dataDir = bed.folder();
    const first = await bed.start({ dataDir });
    await first.schedules.add({ ...often, cron: '0 0 1 1 *' });
    await first.close();
    // Another prefix is a Redis that knows nothing of it.
    const drover = await bed.start({ dataDir });
    await drover.agent('developer', async () => null);
    expect(
      await drover.connection.client.zrange(`${drover.prefix}:schedules:repeat`, '0', '-1'),
    ).toEqual(['often']);
    const client = await connectDrover({
      redis: bed.redis().connection,
      prefix: drover.prefix,
      dataDir: bed.folder(),
    });
    try {
      const [goal] = await client.schedules.run('often');
      expect(await drover.goal(goal!).done()).toMatchObject({ state: 'DONE', title: 'Again' });
      await expect(client.schedules.add(often)).rejects.toThrow('a schedule ‘often’ already');
      await client.schedules.remove('often');
    } finally {
      await client.close();
    }
    expect(listSchedules(drover.ledger.log.db)).toEqual([]);
    expect(await drover.connection.client.zcard(`${drover.prefix}:schedules:repeat`)).toBe(0);
  });

  it('lets what waits begin when the goal before it has ended', async () => {
    const drover = await bed.start();
    let release = (): void => undefined;
    const released = new Promise<null>((resolve) => {
      release = () => resolve(null);
    });
    await drover.agent('developer', () => released);
    await drover.schedules.add({ ...often, cron: '0 0 1 1 *', overlap: 'queue' });
    expect(await drover.schedules.run('often', 'to see it')).toEqual(['goal-1']);
    expect(await drover.schedules.run('often')).toEqual([]);
    release();
    await untilDone(drover, 2);
    expect(listSchedules(drover.ledger.log.db)).toMatchObject([{ queued: [], lastGoal: 'goal-2' }]);
    const [begun] = drover.ledger.log.events({ types: ['schedule.fired'] });
    expect(begun?.event).toMatchObject({ goal: 'goal-1', why: 'to see it' });
  });
});
