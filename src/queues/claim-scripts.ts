/**
 * What a claim has Redis do, in scripts that nobody's command comes between.
 *
 * Invariants kept here: 5 (every script looks first whether the claim still holds the job's lock, and writes nothing
 * where it does not), 4 (a finished step is journaled in the script that announces it, so both are there or neither).
 */
import type { Redis } from 'ioredis';
import { FINISH, FINISH_KEYS } from './bullmq-script.js';
import { PUT_ASIDE } from './held.js';
import { ADMIT } from './limits.js';
import { pauseReason } from './pauses.js';
import { defineScript } from './script.js';
import { RUN_ID } from './vouch.js';

/** Lines of log kept with a job in Redis, for Bull Board. */
const LOG_LINES = 1_000;

/**
 * `begin(KEYS, ARGV)`: announces the claim's first events. Returns `open` and the limits of which it took a slot, or
 * why it may not begin.
 *
 * KEYS lock, job, stream, cancelled, vouch, paused, limits; ARGV token, claims, job, goal, prefix, project, limit of
 * its key (or nothing), how many that allows, the claim's number, its gates by their keys and a space behind each, events…
 *
 * A worker takes several jobs under one token, one after the other, and a later claim of this job may be among
 * them: the token alone does not tell that the claim is still the same, the number of claims does.
 */
const BEGIN_KEYS = 7;
const BEGIN = `
local function begin(KEYS, ARGV)
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'stale' end
  if redis.call('HGET', KEYS[2], 'ats') ~= ARGV[2] then return 'renumbered' end
  if redis.call('GET', KEYS[5]) ~= ${RUN_ID} then return 'unready' end
  if redis.call('SISMEMBER', KEYS[4], ARGV[4]) == 1 or redis.call('SISMEMBER', KEYS[4], ARGV[3]) == 1 then
    return 'cancelled'
  end
  for gate in string.gmatch(ARGV[10], '%S+') do
    if redis.call('HEXISTS', KEYS[2] .. ':processed', gate) == 0 then return 'ungated' end
  end
  for i = 4, 6, 2 do
    if redis.call('SISMEMBER', KEYS[6], ARGV[i]) == 1 then
${PUT_ASIDE}
      putAside(ARGV[5], '${pauseReason('')}' .. ARGV[i], '', KEYS[2], ARGV[3], ARGV[9])
      return 'held'
    end
  end
  local limits = {}
  local ofProject = redis.call('HGET', KEYS[7], ARGV[6])
  if ofProject then limits[1] = {ARGV[6], tonumber(ofProject)} end
  if ARGV[7] ~= '' then limits[#limits + 1] = {ARGV[7], tonumber(ARGV[8])} end
  if #limits > 0 then
${ADMIT}
    if not admit(ARGV[5], limits, KEYS[2], ARGV[3], ARGV[2] .. ':' .. ARGV[1], ARGV[9]) then return 'held' end
  end
  for i = 11, #ARGV do
    redis.call('XADD', KEYS[3], '*', 'event', 'drover', 'jobId', ARGV[3], 'data', ARGV[i])
  end
  return 'open', limits
end
`;

/** KEYS those of `begin`, values, ignored failures, journal; ARGV those of `begin`. */
const OPEN = `${BEGIN}
local status, limits = begin(KEYS, ARGV)
if status ~= 'open' then return {status} end
return {'open', limits, redis.call('HGETALL', KEYS[8]), redis.call('HGETALL', KEYS[9]),
  redis.call('HGETALL', KEYS[10]), redis.call('HGET', KEYS[2], 'declines') or '0'}
`;

/** KEYS those of `begin`, those of BullMQ's script; ARGV how many `begin` has, those, those of BullMQ's script. */
const OPEN_AND_COMPLETE = `${BEGIN}${FINISH}
local count = tonumber(ARGV[1])
local status, limits = begin(KEYS, {unpack(ARGV, 2, count + 1)})
if status ~= 'open' then return {status} end
return {'open', limits, finish({unpack(KEYS, ${BEGIN_KEYS + 1})}, {unpack(ARGV, count + 2)})}
`;

/** KEYS lock, job, stream, journal, logs; ARGV token, claims, job, then triples: kind, first, second. */
const WRITE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[2], 'ats') ~= ARGV[2] then
  return {'stale'}
end
local logged = false
for i = 4, #ARGV, 3 do
  local kind = ARGV[i]
  if kind == 'event' then
    redis.call('XADD', KEYS[3], '*', 'event', 'drover', 'jobId', ARGV[3], 'data', ARGV[i + 1])
  elseif kind == 'step' then
    redis.call('HSET', KEYS[4], ARGV[i + 1], ARGV[i + 2])
  elseif kind == 'log' then
    redis.call('RPUSH', KEYS[5], ARGV[i + 1])
    logged = true
  elseif kind == 'progress' then
    redis.call('HSET', KEYS[2], 'progress', ARGV[i + 1])
  elseif kind == 'declined' then
    redis.call('HINCRBY', KEYS[2], 'declines', 1)
  end
end
if logged then redis.call('LTRIM', KEYS[5], -${LOG_LINES}, -1) end
return {'written'}
`;

export type ClaimScripts = ReturnType<typeof claimScripts>;

export const claimScripts = (client: Redis) => ({
  open: defineScript(client, 'droverOpenClaim', BEGIN_KEYS + 3, OPEN),
  openAndComplete: defineScript(
    client,
    'droverOpenAndComplete',
    BEGIN_KEYS + FINISH_KEYS,
    OPEN_AND_COMPLETE,
  ),
  write: defineScript(client, 'droverWriteClaim', 5, WRITE),
});
