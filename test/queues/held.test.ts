/** What a job that is put aside gives back of its queue's rate. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PUT_ASIDE } from '../../src/queues/held.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const PER = 60_000;
let client: Redis;
beforeAll(() => {
  client = new Redis(bed.redis().connection.path);
});
afterAll(() => client.disconnect());

const putAside = (job: string): Promise<unknown> =>
  client.eval(`${PUT_ASIDE} putAside('p', 'key:db', '1', 'p:work:${job}', '${job}', '1')`, 0);
const used = (): Promise<string | null> => client.get('p:work:limiter');

/** As BullMQ hands a job out, at a time of Redis' own clock. */
async function handOut(job: string, time: number | '*'): Promise<void> {
  await client.xadd('p:work:events', time, 'event', 'active', 'jobId', job, 'prev', 'waiting');
}

it('is its place in the window that runs, and none of one that is over', async () => {
  await client.hset('p:work:meta', 'max', 3, 'duration', PER);
  const [seconds] = await client.time();
  // Five seconds before the present window, which has a third of its time left.
  await handOut('old', (Number(seconds) - 45) * 1_000);
  await client.set('p:work:limiter', '2', 'PX', PER / 3);
  for (const job of ['one', 'two']) await handOut(job, '*');
  await putAside('old');
  await putAside('unknown');
  expect(await used()).toBe('2');
  await putAside('one');
  expect(await used()).toBe('1');
  // Where nothing has begun in it, the next one begins a window of its own.
  await putAside('two');
  expect(await used()).toBeNull();
  await handOut('three', '*');
  await putAside('three');
  expect(await used()).toBeNull();
  expect(await client.zrange('p:work:marker', 0, '-1')).toEqual(['0']);
});
