/**
 * The supervisor vouches for a Redis that it has compared with the log, and agents begin nothing before. A Redis
 * that was started again may have lost its last second: jobs that are done wait once more, and journals lack
 * steps. An agent that were faster than the supervisor would run those steps a second time.
 *
 * Invariants kept here: 4, 5 (also across a restart of Redis). Every start of a Redis has a run id of its own,
 * so a vouch that came back with the data does not count, and neither does one that was lost with them.
 */
import type { Redis } from 'ioredis';
import { ownerKey, vouchKey } from './keys.js';
import { defineScript } from './script.js';

/** Lua: the id of this run of Redis. About ten microseconds. */
export const RUN_ID = `string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')`;

/** KEYS vouch. */
const UNVOUCHED = `
local run = ${RUN_ID}
if redis.call('GET', KEYS[1]) == run then return nil end
return run
`;

/** KEYS vouch, owner; ARGV run, log. The owner is gone where Redis was emptied meanwhile. */
const VOUCH = `
if ${RUN_ID} == ARGV[1] and redis.call('GET', KEYS[2]) == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[1])
end
`;

export class Vouch {
  private readonly unvouchedScript;
  private readonly vouchScript;

  constructor(
    client: Redis,
    private readonly prefix: string,
  ) {
    this.unvouchedScript = defineScript(client, 'droverUnvouched', 1, UNVOUCHED);
    this.vouchScript = defineScript(client, 'droverVouch', 2, VOUCH);
  }

  /** The id of the present run of Redis, or undefined where it was vouched for. */
  async unvouched(): Promise<string | undefined> {
    const run = await this.unvouchedScript(vouchKey(this.prefix));
    return typeof run === 'string' ? run : undefined;
  }

  /** Lets agents begin, unless Redis was started again or emptied since that run was asked for. */
  async vouch(run: string, log: string): Promise<void> {
    await this.vouchScript(vouchKey(this.prefix), ownerKey(this.prefix), run, log);
  }
}
