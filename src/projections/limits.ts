/** The limits as the log has them. */
import { SETTINGS } from '../core/events.js';
import type { Limit } from '../core/limits.js';
import type { Log } from '../log/log.js';

/** What was set last for each capability and project, limits that were taken away included. */
export function readLimits(log: Log): Limit[] {
  const limits = new Map<string, Limit>();
  for (const { event } of log.events({ goal: SETTINGS, types: ['limit.set'] })) {
    if (event.type !== 'limit.set') continue;
    const { scope, name } = event.limit;
    limits.set(`${scope}:${name}`, event.limit);
  }
  return [...limits.values()];
}
