/**
 * What a claim has Redis do, in scripts that nobody's command comes between.
 *
 * Invariants kept here: 5 (every script looks first whether the claim still holds the job's lock, and writes nothing
 * where it does not), 4 (a finished step is journaled in the script that announces it, so both are there or neither).
 */
import { ErrorCode } from 'bullmq';
import type { Redis } from 'ioredis';
import { FETCH } from './bullmq-script.js';
import { PUT_ASIDE } from './held.js';
import { cancelledKey, limitsKey, pausedKey, vouchKey } from './keys.js';
import { ADMIT } from './limits.js';
import { PASS_ON } from './pass-on.js';
import { pauseReason } from './pauses.js';
import { defineScript } from './script.js';
import { RUN_ID } from './vouch.js';

/** Lines of log kept with a job in Redis, for Bull Board. */
const LOG_LINES = 1_000;

/**
 * `begin(key, given, events)`: announces the claim's first events, which are the arguments from that one on. Returns
 * `open` and the limits of which it took a slot, or why it may not begin.
 *
 * `key` is the job's; `given` are prefix, token, claims, job, goal, project, limit of its key (or nothing), how many
 * that allows, the claim's number, its gates by their keys and a space behind each. Whatever else it looks at is found
 * by the prefix: a name costs ioredis more to send than Redis to make.
 *
 * A worker takes several jobs under one token, one after the other, and a later claim of this job may be among
 * them: the token alone does not tell that the claim is still the same, the number of claims does.
 */
const BEGIN_ARGUMENTS = 10;
const BEGIN = `
local function begin(key, given, events)
  local prefix, token, claims, job, goal, project, ofKey, allowed, number, gates = unpack(given, 1, ${BEGIN_ARGUMENTS})
  if redis.call('GET', key .. ':lock') ~= token then return 'stale' end
  if redis.call('HGET', key, 'ats') ~= claims then return 'renumbered' end
  if redis.call('GET', prefix .. '${vouchKey('')}') ~= ${RUN_ID} then return 'unready' end
  local cancelled = redis.call('SMISMEMBER', prefix .. '${cancelledKey('')}', goal, job)
  if cancelled[1] + cancelled[2] > 0 then return 'cancelled' end
  for gate in string.gmatch(gates, '%S+') do
    if redis.call('HEXISTS', key .. ':processed', gate) == 0 then return 'ungated' end
  end
  local paused = redis.call('SMISMEMBER', prefix .. '${pausedKey('')}', goal, project)
  if paused[1] + paused[2] > 0 then
${PUT_ASIDE}
    putAside(prefix, '${pauseReason('')}' .. (paused[1] == 1 and goal or project), '', key, job, number)
    return 'held'
  end
  local limits = {}
  local ofProject = redis.call('HGET', prefix .. '${limitsKey('')}', project)
  if ofProject then limits[1] = {project, tonumber(ofProject)} end
  if ofKey ~= '' then limits[#limits + 1] = {ofKey, tonumber(allowed)} end
  if #limits > 0 then
${ADMIT}
    if not admit(prefix, limits, key, job, claims .. ':' .. token, number) then return 'held' end
  end
  local stream = string.sub(key, 1, -#job - 1) .. 'events'
  for i = events, #given do
    redis.call('XADD', stream, '*', 'event', 'drover', 'jobId', job, 'data', given[i])
  end
  return 'open', limits
end
`;

/** KEYS job, values, ignored failures, journal; ARGV those of `begin`, events… */
const OPEN = `${BEGIN}
local status, limits = begin(KEYS[1], ARGV, ${BEGIN_ARGUMENTS + 1})
if status ~= 'open' then return {status} end
return {'open', limits, redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]),
  redis.call('HGETALL', KEYS[4]), redis.call('HGET', KEYS[1], 'declines') or '0'}
`;

/**
 * `complete(prefix, key, token, job, ending)`: completes a claim's job and passes its result on. Returns BullMQ's answer:
 * the worker's next job, or a number. That is fetched last, so it may be what the result was passed on to.
 *
 * `ending` are time, result, 1 where the worker takes another job, its name, milliseconds of its locks, and the
 * engine's job above or nothing. The options are made here: BullMQ sends them as bytes, beside which ioredis makes
 * bytes of every argument by itself.
 */
const END_ARGUMENTS = 6;
const COMPLETE = `${PASS_ON}${FETCH}
local function complete(prefix, key, token, job, ending)
  local time, result, more, name, lock, parent = unpack(ending)
  local base = string.sub(key, 1, -#job - 1)
  local options = {token = token, name = name, lockDuration = lock, keepJobs = {count = -1}, maxMetricsSize = ''}
  if parent == '' then return finish(base, job, time, result, more, options) end
  local answer = finish(base, job, time, result, '0', options)
  if answer ~= 0 then return answer end
  -- The task is done, whatever this stumbles over: that is left to a worker of the engine.
  pcall(passOn, prefix, parent, time, result)
  return more == '1' and fetch(base, time, options) or 0
end
`;

/** KEYS job; ARGV those of `begin`, those of `complete`, events… */
const OPEN_AND_COMPLETE = `${BEGIN}${COMPLETE}
local events = ${BEGIN_ARGUMENTS + END_ARGUMENTS + 1}
local status, limits = begin(KEYS[1], ARGV, events)
if status ~= 'open' then return {status} end
local ending = {unpack(ARGV, ${BEGIN_ARGUMENTS + 1}, events - 1)}
return {'open', limits, complete(ARGV[1], KEYS[1], ARGV[2], ARGV[4], ending)}
`;

/** KEYS job; ARGV prefix, token, claims, job, those of `complete`. */
const COMPLETE_CLAIM = `${COMPLETE}
if redis.call('HGET', KEYS[1], 'ats') ~= ARGV[3] then return ${ErrorCode.JobLockMismatch} end
return complete(ARGV[1], KEYS[1], ARGV[2], ARGV[4], {unpack(ARGV, 5)})
`;

/** KEYS lock, job, stream, journal, logs; ARGV token, claims, job, then triples: kind, first, second. */
const WRITE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[2], 'ats') ~= ARGV[2] then
  return {'stale'}
end
local logged, known = false, false
for i = 4, #ARGV, 3 do
  local kind = ARGV[i]
  if kind == 'event' then
    if not known then
      redis.call('XADD', KEYS[3], '*', 'event', 'drover', 'jobId', ARGV[3], 'data', ARGV[i + 1])
    end
    known = false
  elseif kind == 'step' then
    -- Where the answer was lost with the connection, ioredis sends it again: its event, the next one, is there.
    known = redis.call('HGET', KEYS[4], ARGV[i + 1]) == ARGV[i + 2]
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
  open: defineScript(client, 'droverOpenClaim', 4, OPEN),
  openAndComplete: defineScript(client, 'droverOpenAndComplete', 1, OPEN_AND_COMPLETE),
  complete: defineScript(client, 'droverCompleteClaim', 1, COMPLETE_CLAIM),
  write: defineScript(client, 'droverWriteClaim', 5, WRITE),
});
