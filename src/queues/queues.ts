/** Queues as a whole, in BullMQ's own terms: who works on them, what waits in them, whether they are paused. */
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { answersOf } from './answers.js';
import { jobKey, metaKey } from './keys.js';

/** Jobs of a queue that are looked at in their order. */
const LINE = 1_000;

/** Field of a queue's own hash: whether Drover last paused it (1) or let it go on (0). */
const OWN_PAUSE = 'droverPaused';

/** Milliseconds for which a queue that had workers is taken to have some. */
const STAFFED = 1_000;

export class Queues {
  private readonly known = new Map<string, Queue>();
  /** When a queue was last seen to have workers, on the clock of `performance.now()`. */
  private readonly staffed = new Map<string, number>();
  /** Questions under way for a queue's workers. */
  private readonly asked = new Map<string, Promise<number>>();

  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
  ) {}

  /** BullMQ's own, opened at its first use. */
  open(name: string): Queue {
    const known = this.known.get(name);
    if (known) return known;
    const queue = openQueue(this.client, this.prefix, name);
    this.known.set(name, queue);
    return queue;
  }

  /** Lets workers take what waits in a queue, or not. */
  async setPaused(queue: string, paused: boolean): Promise<void> {
    const held = await this.open(queue).isPaused();
    if (paused && !held) await this.open(queue).pause();
    if (!paused && held) await this.open(queue).resume();
    // Behind it: whoever is killed in between leaves what looks like somebody else's doing, and agrees with the log.
    await this.client.hset(metaKey(this.prefix, queue), OWN_PAUSE, Number(paused));
  }

  /** Whether somebody else has paused a queue (true) or let it go on (false); undefined where it is as Drover left it. */
  async switchedByOthers(queue: string): Promise<boolean | undefined> {
    const meta = metaKey(this.prefix, queue);
    const [paused, own] = await this.client.hmget(meta, 'paused', OWN_PAUSE);
    const isPaused = paused === '1';
    return isPaused === (own === '1') ? undefined : isPaused;
  }

  /** Lets those of the queues go on that somebody has paused. */
  async resume(queues: readonly string[]): Promise<void> {
    const pipeline = this.client.pipeline();
    for (const queue of queues) pipeline.hget(metaKey(this.prefix, queue), 'paused');
    for (const [index, paused] of (await answersOf(pipeline)).entries()) {
      if (paused === '1') await this.open(queues[index]!).resume();
    }
  }

  /** Workers on a queue, whoever runs them. */
  async workers(queue: string): Promise<number> {
    return this.open(queue).getWorkersCount();
  }

  /** The jobs of a queue that are handed out first, in their order. */
  async line(queue: string): Promise<string[]> {
    // What has no priority goes before what has one; BullMQ takes it from the end.
    const [plain, ranked] = await Promise.all([
      this.client.lrange(jobKey(this.prefix, queue, 'wait'), -LINE, -1),
      this.client.zrange(jobKey(this.prefix, queue, 'prioritized'), 0, String(LINE - 1)),
    ]);
    return [...plain.toReversed(), ...ranked].slice(0, LINE);
  }

  /** Milliseconds until a queue's rate lets the next job begin; 0 where it does now. */
  async nextIn(queue: string): Promise<number> {
    const max = await this.client.hget(metaKey(this.prefix, queue), 'max');
    return max === null ? 0 : Math.max(0, await this.open(queue).getRateLimitTtl(Number(max)));
  }

  /** Whether anybody works on a queue, or did within the last second: Redis lists all of its clients for that. */
  async hasWorkers(queue: string): Promise<boolean> {
    if (performance.now() - (this.staffed.get(queue) ?? -STAFFED) < STAFFED) return true;
    // Those who ask at once share one answer.
    const asked = this.asked.get(queue) ?? this.workers(queue);
    this.asked.set(queue, asked);
    try {
      if ((await asked) === 0) return false;
      this.staffed.set(queue, performance.now());
      return true;
    } finally {
      this.asked.delete(queue);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.known.values()].map((queue) => queue.close()));
  }
}

/** A queue to look at and to change jobs of; it leaves the queue's settings in Redis alone. */
export function openQueue(client: Redis, prefix: string, name: string): Queue {
  // Otherwise its first use would set the limit of the queue's stream back to 10,000 entries.
  const queue = new Queue(name, { connection: client, prefix, skipMetasUpdate: true });
  queue.on('error', () => undefined);
  return queue;
}
