/**
 * Limits on what runs at once. A capability's are BullMQ's own settings of its queue. A project's, and those of keys
 * that tasks name, are kept here: a claim takes a slot when it is opened, or its job is put aside (held.ts) until
 * one is free. Tasks without limits pay one look at a hash.
 *
 * A slot names the job, the number of its claim and the token of its lock. It counts while the job's lock has that
 * token, so a killed agent's slot is free when its lock runs out, and none can leak. When a claim ends its agent
 * gives the slot back, and the most urgent job that waits for it is taken up in the same script; what a dead agent
 * owes is taken up by the supervisor's sweep.
 */
import type { Redis } from 'ioredis';
import type { Limit } from '../core/limits.js';
import { answersOf } from './answers.js';
import { PUT_ASIDE, TAKE_UP } from './held.js';
import { heldKey, limitsChannel, limitsKey, metaKey, pausedKey } from './keys.js';
import { listen } from './notices.js';
import { defineScript } from './script.js';

/** `free(prefix, name, limit)`: slots left of a limit; those of dead claims are found when none seems to be. */
const FREE = `
local function free(prefix, name, limit)
  local slots = prefix .. ':slots:' .. name
  local left = limit - redis.call('HLEN', slots)
  if left > 0 then return left end
  local all = redis.call('HGETALL', slots)
  for i = 1, #all, 2 do
    local token = redis.call('GET', all[i] .. ':lock')
    local claim = redis.call('HGET', all[i], 'ats')
    if not token or claim .. ':' .. token ~= all[i + 1] then redis.call('HDEL', slots, all[i]) end
  end
  return limit - redis.call('HLEN', slots)
end
`;

/**
 * `smallest(prefix, name, limit)`: how many a key allows. Tasks of several plans may say different things about one
 * key; the smallest counts that was said since nobody used or waited for it.
 */
const SMALLEST = `
local function smallest(prefix, name, limit)
  if string.sub(name, 1, 4) ~= 'key:' then return limit end
  local said = prefix .. ':key-limits'
  local idle = redis.call('HLEN', prefix .. ':slots:' .. name) == 0
    and redis.call('EXISTS', prefix .. ':held:' .. name) == 0
  local known = not idle and tonumber(redis.call('HGET', said, name))
  if known and known <= limit then return known end
  redis.call('HSET', said, name, limit)
  return limit
end
local function forget(prefix, name)
  if redis.call('HLEN', prefix .. ':slots:' .. name) == 0
    and redis.call('EXISTS', prefix .. ':held:' .. name) == 0 then
    redis.call('HDEL', prefix .. ':key-limits', name)
  end
end
`;

/**
 * `admit(prefix, limits, key, id, slot, claim)`: takes a slot of each limit, all or none; false where the job was
 * put aside. `limits` is a list of pairs: name, limit.
 */
export const ADMIT = `
${PUT_ASIDE}
${TAKE_UP}
${FREE}
${SMALLEST}
local function admit(prefix, limits, key, id, slot, claim)
  local full
  for _, limit in ipairs(limits) do limit[2] = smallest(prefix, limit[1], limit[2]) end
  for _, limit in ipairs(limits) do
    if free(prefix, limit[1], limit[2]) < 1 then full = limit break end
  end
  for _, limit in ipairs(limits) do
    redis.call('ZREM', prefix .. ':held:' .. limit[1], key)
    if not full then
      redis.call('HSET', prefix .. ':slots:' .. limit[1], key, slot)
    elseif limit[1] ~= full[1] and free(prefix, limit[1], limit[2]) > 0 then
      -- It may have been taken up for this slot, which it cannot use yet.
      takeUp(prefix, limit[1], 1)
    end
  end
  if not full then return true end
  putAside(prefix, full[1], full[2], key, id, claim)
  return false
end
`;

/** KEYS job; ARGV prefix, slot, then pairs: name, limit. */
const RELEASE = `
${TAKE_UP}
${FREE}
${SMALLEST}
for i = 3, #ARGV, 2 do
  local slots = ARGV[1] .. ':slots:' .. ARGV[i]
  if redis.call('HGET', slots, KEYS[1]) == ARGV[2] then
    local limit = smallest(ARGV[1], ARGV[i], tonumber(ARGV[i + 1]))
    redis.call('HDEL', slots, KEYS[1])
    if free(ARGV[1], ARGV[i], limit) > 0 then takeUp(ARGV[1], ARGV[i], 1) end
    forget(ARGV[1], ARGV[i])
  end
end
`;

/** KEYS held, limits, paused; ARGV prefix. Takes up whatever waits for slots that are free or for what goes on. */
const SWEEP = `
${TAKE_UP}
${FREE}
${SMALLEST}
local ALL = 1000000
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local reason = held[i]
  local kind, name = string.match(reason, '^(%a+):(.*)$')
  local count
  if kind == 'paused' then
    count = redis.call('SISMEMBER', KEYS[3], name) == 1 and 0 or ALL
  elseif kind == 'project' then
    count = free(ARGV[1], reason, tonumber(redis.call('HGET', KEYS[2], reason)) or ALL)
  else
    count = free(ARGV[1], reason, smallest(ARGV[1], reason, tonumber(held[i + 1])))
  end
  takeUp(ARGV[1], reason, count)
  forget(ARGV[1], reason)
end
`;

/** A limit that one claim counts against: its name and how many it allows. */
export type Counted = readonly [name: string, limit: number];

export class Limits {
  private readonly releaseScript;
  private readonly sweepScript;

  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
  ) {
    this.releaseScript = defineScript(client, 'droverReleaseSlots', 1, RELEASE);
    this.sweepScript = defineScript(client, 'droverSweepHeld', 3, SWEEP);
  }

  /** Sets what begins from now on; what runs is left alone. */
  async set(limits: readonly Limit[]): Promise<void> {
    if (limits.length === 0) return;
    const pipeline = this.client.pipeline();
    const put = (key: string, field: string, value: number | undefined): void => {
      if (value === undefined) pipeline.hdel(key, field);
      else pipeline.hset(key, field, value);
    };
    for (const limit of limits) {
      const concurrency = limit.concurrency ?? undefined;
      if (limit.scope === 'project') {
        put(limitsKey(this.prefix), projectLimit(limit.name), concurrency);
        continue;
      }
      // As BullMQ's own setGlobalConcurrency and setGlobalRateLimit do.
      const meta = metaKey(this.prefix, limit.name);
      put(meta, 'concurrency', concurrency);
      put(meta, 'max', limit.rate?.max);
      put(meta, 'duration', limit.rate?.per);
      // A worker that waits for a job looks again.
      pipeline.zadd(`${this.prefix}:${limit.name}:marker`, 0, '0');
    }
    pipeline.publish(limitsChannel(this.prefix), '');
    await answersOf(pipeline);
    await this.sweep();
  }

  /**
   * Takes up what waits for what goes on again, and for slots that nobody gave back: their agents died, or a limit
   * was raised.
   */
  async sweep(): Promise<void> {
    const { prefix } = this;
    await this.sweepScript(heldKey(prefix), limitsKey(prefix), pausedKey(prefix), prefix);
  }

  /** Gives a claim's slots back. */
  async release(job: string, slot: string, counted: readonly Counted[]): Promise<void> {
    await this.releaseScript(job, this.prefix, slot, ...counted.flat());
  }
}

/** Projects with a limit, as an agent knows them. */
export interface KnownLimits {
  /** True also while it is not known. */
  readonly mayLimit: (project: string) => boolean;
}

/**
 * Follows the limits on projects, so that an agent need not wait for its claim before it begins a task that has
 * none. @param subscriber a connection for pub/sub
 */
export async function followLimits(
  client: Redis,
  subscriber: Redis,
  prefix: string,
  onError: (error: Error) => void,
): Promise<KnownLimits> {
  let known: ReadonlySet<string> | undefined;
  const read = async (): Promise<void> => {
    known = undefined;
    known = new Set(await client.hkeys(limitsKey(prefix)));
  };
  const channel = limitsChannel(prefix);
  // What was said while it was away was not heard.
  subscriber.on('close', () => {
    known = undefined;
  });
  subscriber.on('ready', () => void read().catch(onError));
  await listen(subscriber, { [channel]: () => void read().catch(onError) });
  await read();
  return { mayLimit: (project) => known?.has(projectLimit(project)) ?? true };
}

export const projectLimit = (project: string): string => `project:${project}`;
export const keyLimit = (key: string): string => `key:${key}`;
