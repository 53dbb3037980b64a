import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { trainChannel } from '../../src/queues/keys.js';
import { listen } from '../../src/queues/notices.js';
import { type Lead, Trains } from '../../src/queues/train.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const TRACK = 'shop/goal-1';

describe('the line in front of a train', () => {
  const clients: Redis[] = [];
  let counter = 0;
  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect();
  });

  const process = async (prefix: string): Promise<Trains<string, string>> => {
    const client = new Redis(bed.redis().connection);
    const subscriber = new Redis(bed.redis().connection);
    clients.push(client, subscriber);
    const trains = new Trains<string, string>(client, prefix);
    await listen(subscriber, { [trainChannel(prefix)]: (track) => trains.heard(track) });
    return trains;
  };
  const prefix = (): string => `train${(counter += 1)}`;
  const never = new AbortController().signal;
  const toAll: Lead<string, string> = async (waiting, settle) => {
    for (const { id, data } of waiting) await settle(id, `${data} of ${waiting.length}`);
  };

  it('lets one lead for all that wait, across processes', async () => {
    const own = prefix();
    const [here, there] = [await process(own), await process(own)];
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    let leads = 0;
    const lead: Lead<string, string> = async (...args) => {
      leads += 1;
      await held;
      await toAll(...args);
    };
    const first = here.ride(TRACK, 'task-1.1', 'a', lead, never);
    await expect.poll(() => leads).toBe(1);
    const later = [
      there.ride(TRACK, 'task-2.1', 'b', lead, never),
      here.ride(TRACK, 'task-3.1', 'c', lead, never),
    ];
    await expect.poll(() => clients[0]!.hlen(`${own}:train:${TRACK}:waiting`)).toBe(3);
    go();
    expect(await first).toBe('a of 1');
    expect(await Promise.all(later)).toEqual(['b of 2', 'c of 2']);
    expect(leads).toBe(2);
    expect(await clients[0]!.keys(`${own}:*`)).toEqual([]);
  });

  it('is taken over from a leader that died', async () => {
    const own = prefix();
    const trains = await process(own);
    await clients[0]!.set(`${own}:train:${TRACK}:lead`, 'somebody', 'PX', 300);
    expect(await trains.ride(TRACK, 'task-1.1', 'a', toAll, never)).toBe('a of 1');
  });

  it('refuses the verdicts of a leader that was held up, and tells it so', async () => {
    const own = prefix();
    const trains = await process(own);
    let tries = 0;
    const lead: Lead<string, string> = async (waiting, settle) => {
      tries += 1;
      await clients[0]!.set(`${own}:train:${TRACK}:lead`, 'somebody else', 'PX', 200);
      await toAll(waiting, settle, never);
    };
    await expect(trains.ride(TRACK, 'task-1.1', 'a', lead, never)).rejects.toThrow(/was lost/);
    expect(tries).toBe(1);
    expect(await clients[0]!.hlen(`${own}:train:${TRACK}:verdicts`)).toBe(0);
  });

  it('leaves the line when it is aborted', async () => {
    const own = prefix();
    const trains = await process(own);
    await clients[0]!.set(`${own}:train:${TRACK}:lead`, 'somebody', 'PX', 60_000);
    const stop = new AbortController();
    const riding = trains.ride(TRACK, 'task-1.1', 'a', toAll, stop.signal);
    await delay(20);
    stop.abort(new Error('cancelled'));
    await expect(riding).rejects.toThrow('cancelled');
    expect(await clients[0]!.hlen(`${own}:train:${TRACK}:waiting`)).toBe(0);
  });
});
