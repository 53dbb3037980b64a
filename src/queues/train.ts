/**
 * Where claims line up whose work is ready to be merged into one branch, the track. One of them leads: it takes
 * all that wait at that moment, integrates them together, and tells each what came of it.
 *
 * Invariants kept here: 5 (only who holds the lead settles; whether a claim may still merge is asked in git, in
 * the moment in which the branch moves), 8 (a leader that dies loses the lead after `LEASE`, and who waits
 * takes over).
 */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { DroverError } from '../core/errors.js';
import type { Json } from '../core/plan.js';
import { trainChannel, trainKey } from './keys.js';
import { defineScript } from './script.js';

/** Milliseconds that a lead outlives its leader's last sign of life. */
const LEASE = 5_000;
/** Milliseconds that a verdict waits to be fetched; one that is gone is found out again from the branch. */
const KEPT = 3_600_000;

/** KEYS lead, waiting; ARGV token, lease. Answers with the milliseconds to wait where somebody leads. */
const TAKE_LEAD = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return redis.call('HVALS', KEYS[2]) end
return redis.call('PTTL', KEYS[1])
`;

/** KEYS lead; ARGV token, lease. */
const KEEP_LEAD = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** KEYS lead; ARGV token, channel, track. */
const GIVE_LEAD = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return redis.call('PUBLISH', ARGV[2], ARGV[3])
`;

/** KEYS lead, waiting, verdicts; ARGV token, wagon, verdict, milliseconds to keep it, channel, track. */
const SETTLE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1
`;

export interface Waiting<T extends Json> {
  /** Names the claim; the same one at every try. */
  readonly id: string;
  readonly since: number;
  readonly data: T;
}

/** Integrates all that wait; every wagon is settled, or what it throws leaves the rest waiting. */
export type Lead<T extends Json, V extends Json> = (
  waiting: readonly Waiting<T>[],
  settle: (id: string, verdict: V) => Promise<void>,
  /** Aborts when somebody else may lead. */
  lost: AbortSignal,
) => Promise<void>;

export class Trains<T extends Json, V extends Json> {
  private readonly takeScript;
  private readonly keepScript;
  private readonly giveScript;
  private readonly settleScript;
  /** Who waits for news, by track. */
  private readonly waiters = new Map<string, Set<() => void>>();

  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
  ) {
    this.takeScript = defineScript(client, 'droverTakeLead', 2, TAKE_LEAD);
    this.keepScript = defineScript(client, 'droverKeepLead', 1, KEEP_LEAD);
    this.giveScript = defineScript(client, 'droverGiveLead', 1, GIVE_LEAD);
    this.settleScript = defineScript(client, 'droverSettle', 3, SETTLE);
  }

  /** To be called with every message on `trainChannel`. */
  heard(track: string): void {
    for (const wake of this.waiters.get(track) ?? []) wake();
  }

  /**
   * Waits in line until somebody has integrated this claim's work; that may be this one, by `lead`.
   * @throws the signal's reason, or what `lead` throws
   */
  async ride(
    track: string,
    id: string,
    data: T,
    lead: Lead<T, V>,
    signal: AbortSignal,
  ): Promise<V> {
    const { waiting, verdicts } = this.keys(track);
    await this.client.hset(waiting, id, JSON.stringify({ id, since: Date.now(), data }));
    try {
      for (;;) {
        // Listened for before it is asked for, so that nothing is missed in between.
        const news = this.news(track, signal);
        try {
          const verdict = await this.client.hget(verdicts, id);
          if (verdict !== null) {
            await this.client.hdel(verdicts, id);
            return JSON.parse(verdict) as V;
          }
          signal.throwIfAborted();
          const leader = await this.tryToLead(track, id, lead);
          // Only a leader that died says nothing any more.
          if (leader > 0) await news.within(leader);
        } finally {
          news.stop();
        }
      }
    } finally {
      await this.client.hdel(waiting, id);
    }
  }

  /** @returns milliseconds until the present leader's lead ends; 0 after leading */
  private async tryToLead(track: string, id: string, lead: Lead<T, V>): Promise<number> {
    const { leader, waiting, verdicts } = this.keys(track);
    const channel = trainChannel(this.prefix);
    const token = randomUUID();
    const taken = await this.takeScript(leader, waiting, token, LEASE);
    if (!Array.isArray(taken)) return Math.max(1, Number(taken));
    const lost = new AbortController();
    const keeping = setInterval(() => {
      this.keepScript(leader, token, LEASE).then(
        (kept) => kept === 0 && lost.abort(leadLost(track)),
        () => undefined,
      );
    }, LEASE / 3);
    try {
      const wagons = taken.map((text) => JSON.parse(String(text)) as Waiting<T>);
      // The leader before has settled it in the meantime.
      if (!wagons.some((wagon) => wagon.id === id)) return 0;
      await lead(
        wagons.toSorted((a, b) => a.since - b.since),
        async (settled, verdict) => {
          const text = JSON.stringify(verdict);
          const args = [token, settled, text, KEPT, channel, track];
          if ((await this.settleScript(leader, waiting, verdicts, ...args)) === 0) {
            throw leadLost(track);
          }
        },
        lost.signal,
      );
    } finally {
      clearInterval(keeping);
      await this.giveScript(leader, token, channel, track);
    }
    return 0;
  }

  private news(
    track: string,
    signal: AbortSignal,
  ): { within: (ms: number) => Promise<void>; stop: () => void } {
    const waiters = this.waiters.get(track) ?? new Set();
    this.waiters.set(track, waiters);
    let wake: () => void = () => undefined;
    let timer: NodeJS.Timeout | undefined;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    waiters.add(wake);
    signal.addEventListener('abort', wake);
    return {
      within: async (ms) => {
        timer = setTimeout(wake, ms);
        await woken;
      },
      stop: () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        waiters.delete(wake);
        if (waiters.size === 0) this.waiters.delete(track);
      },
    };
  }

  private keys(track: string): { leader: string; waiting: string; verdicts: string } {
    const key = trainKey(this.prefix, track);
    return { leader: `${key}:lead`, waiting: `${key}:waiting`, verdicts: `${key}:verdicts` };
  }
}

const leadLost = (track: string): DroverError =>
  new DroverError(
    'conflict',
    `The lead of ${track} was lost: this process was held up for too long.`,
  );
