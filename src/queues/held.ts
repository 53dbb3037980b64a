/**
 * Jobs that are put aside: claimed, and refused for a reason that somebody else will end. They hold no worker and
 * use no attempt. In BullMQ's terms such a job is delayed for ever; a list for each reason says who is waiting for
 * what, the most urgent first, and whoever ends the reason takes the next ones up again, in the same script.
 * Nothing polls. A person may promote such a job in Bull Board: it is then claimed, and looked at, once more.
 *
 * The functions below are parts of Lua scripts. `prefix` is the first part of all keys, `reason` names a list.
 *
 * Invariants kept here: 4 (a job is in one place at a time: it leaves the active list, and the delayed set, in the
 * script that puts it elsewhere).
 */

import { NEVER } from './gate-options.js';

/** Entries of a queue's stream among which a claim that was just made is looked for. */
const LATEST = 100;

/**
 * `giveBack(queue, id)`: a job that does not begin has used none of its queue's rate. BullMQ counts what it hands out in
 * a window that begins with the first; a place in a window before the present one is none to give back. When the job
 * was handed out stands in the stream, by Redis' own clock; where it stands there no more, the place stays used.
 *
 * `putAside(prefix, reason, note, key, id, claim)`: takes an active job out of its worker's hands, and says so in
 * the job's stream. `note` is kept with the reason while anybody waits for its end.
 */
export const PUT_ASIDE = `
local function giveBack(queue, id)
  local duration = tonumber(redis.call('HGET', queue .. ':meta', 'duration'))
  local left = duration and redis.call('PTTL', queue .. ':limiter')
  if not duration or left <= 0 then return end
  local time = redis.call('TIME')
  local began = time[1] * 1000 + math.floor(time[2] / 1000) + left - duration
  for _, entry in ipairs(redis.call('XREVRANGE', queue .. ':events', '+', '-', 'COUNT', ${LATEST})) do
    if entry[2][2] == 'active' and entry[2][4] == id then
      if tonumber(string.match(entry[1], '^%d+')) < began then return end
      if redis.call('DECR', queue .. ':limiter') < 1 then redis.call('DEL', queue .. ':limiter') end
      redis.call('ZADD', queue .. ':marker', 0, '0')
      return
    end
  end
end
local function putAside(prefix, reason, note, key, id, claim)
  local queue = string.sub(key, 1, -#id - 2)
  giveBack(queue, id)
  local time = redis.call('TIME')
  local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ${NEVER}
  redis.call('DEL', key .. ':lock')
  redis.call('SREM', queue .. ':stalled', id)
  redis.call('LREM', queue .. ':active', -1, id)
  redis.call('ZADD', queue .. ':delayed', ends * 0x1000, id)
  local event = cjson.encode({type = 'task.held', claim = tonumber(claim), ['until'] = reason})
  redis.call('XADD', queue .. ':events', '*', 'event', 'drover', 'jobId', id, 'data', event)
  local turn = redis.call('INCR', prefix .. ':held-turn')
  local priority = tonumber(redis.call('HGET', key, 'priority')) or 0
  redis.call('ZADD', prefix .. ':held:' .. reason, priority * 0x100000000 + turn % 0x100000000, key)
  redis.call('HSET', prefix .. ':held', reason, note)
end
`;

/** `takeUp(prefix, reason, count)`: hands so many of the jobs that wait for a reason's end back to their queues. */
export const TAKE_UP = `
local function takeUp(prefix, reason, count)
  local list = prefix .. ':held:' .. reason
  while count > 0 do
    local popped = redis.call('ZPOPMIN', list)
    if #popped == 0 then break end
    local key = popped[1]
    local queue, id = string.match(key, '^(.*):([^:]+)$')
    if redis.call('ZREM', queue .. ':delayed', id) == 1 then
      local priority = tonumber(redis.call('HGET', key, 'priority')) or 0
      if priority == 0 then
        redis.call('LPUSH', queue .. ':wait', id)
      else
        local turn = redis.call('INCR', queue .. ':pc')
        redis.call('ZADD', queue .. ':prioritized', priority * 0x100000000 + turn % 0x100000000, id)
      end
      redis.call('XADD', queue .. ':events', '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
      redis.call('ZADD', queue .. ':marker', 0, '0')
      count = count - 1
    end
  end
  if redis.call('EXISTS', list) == 0 then redis.call('HDEL', prefix .. ':held', reason) end
end
`;
