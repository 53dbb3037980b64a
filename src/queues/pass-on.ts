/**
 * What a completed task's result is passed on by: its relay with the relay's gates, or its goal's job. Whoever completes
 * the task does it in the same script, so that nobody waits for another process; what a plain worker completes, and
 * what is passed on by a failure, is the engine's workers' (gates.ts).
 *
 * Invariants kept here: 4 (what is open or finished already stays as it is).
 */
import { ErrorCode } from 'bullmq';
import { FINISH } from './bullmq-script.js';

/** Jobs completed by one call, which nobody else's command may interrupt. */
export const AT_ONCE = 200;

/** A token that tells BullMQ's scripts to skip the lock. */
export const NO_LOCK = '0';

/**
 * `completeHeld(base, job, time, outcome)`: completes a job from whatever set it waits in. Whoever holds it has lost it.
 * Returns what is wrong where BullMQ did not complete one that is there. It began in the moment in which it ended: Bull
 * Board shows how long a job took, and reckons from 1970 where it never began.
 */
export const COMPLETE_HELD = `${FINISH}
local function completeHeld(base, job, time, outcome)
  if redis.call('ZREM', base .. 'delayed', job) == 1 or redis.call('LREM', base .. 'wait', 1, job) == 1
    or redis.call('ZREM', base .. 'prioritized', job) == 1 then
    redis.call('RPUSH', base .. 'active', job)
    redis.call('HSET', base .. job, 'processedOn', time)
  end
  redis.call('DEL', base .. job .. ':lock')
  local options = {token = '${NO_LOCK}', keepJobs = {count = -1}, maxMetricsSize = ''}
  local answer = finish(base, job, time, outcome, '0', options)
  if answer ~= 0 and answer ~= ${ErrorCode.JobNotExist} and answer ~= ${ErrorCode.JobNotInState} then
    return 'BullMQ did not complete ' .. base .. job .. ': ' .. tostring(answer)
  end
end
`;

/** Queues of jobs that only pass results on. */
const PASSING = ['relays', 'goals'];

/**
 * The engine's job above a task's, as `passOn` is told of it: `relays:task-1.relay`; nothing where another task is above.
 * @param parentKey of the task's job
 */
export function engineParent(prefix: string, parentKey: string | undefined): string {
  const parent = parentKey?.slice(prefix.length + 1) ?? '';
  return PASSING.some((queue) => parent.startsWith(`${queue}:`)) ? parent : '';
}

/**
 * `passOn(prefix, parent, time, result)`: completes the engine's job above a task that has just been completed, where
 * it waits for nothing else, a relay's gates before it. One with many gates stays where its worker finds it, and so does
 * what fails halfway.
 */
export const PASS_ON = `${COMPLETE_HELD}
local function passOn(prefix, parent, time, result)
  local queue, job = string.match(parent, '^(%l+):(.*)$')
  local base = prefix .. ':' .. queue .. ':'
  local data = redis.call('HGET', base .. job, 'data')
  if not data or redis.call('HEXISTS', base .. 'meta', 'paused') == 1 then return end
  local gates = {}
  if queue == 'relays' then gates = cjson.decode(data).gates end
  if #gates > ${AT_ONCE} then return end
  if not redis.call('ZSCORE', base .. 'prioritized', job) and not redis.call('LPOS', base .. 'wait', job) then return end
  for _, gate in ipairs(gates) do
    if completeHeld(prefix .. ':gates:', gate, time, result) then return end
  end
  completeHeld(base, job, time, queue == 'relays' and result or 'null')
  -- Its worker need not look for what is done.
  if redis.call('EXISTS', base .. 'wait', base .. 'prioritized') == 0 then
    redis.call('ZREM', base .. 'marker', '0')
  end
end
`;
