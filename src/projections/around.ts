/** What tasks of all goals share, of one moment: read from the log, and from what Redis told of its queues. */
import type { Log } from '../log/log.js';
import { runningTasks } from './goal-queries.js';
import { readLimits } from './limits.js';
import type { Pause } from './pauses.js';
import type { Around, QueueNow } from './waits.js';

/** By capability; undefined where Redis cannot be asked. */
export type QueuesNow = ReadonlyMap<string, QueueNow> | undefined;

export const aroundOf = (log: Log, pauses: readonly Pause[], queues: QueuesNow): Around => ({
  pauses,
  limits: readLimits(log),
  running: runningTasks(log.db),
  queues,
});

export const NOTHING_AROUND: Around = { pauses: [], limits: [], running: [], queues: undefined };

export const agentsOf = (queues: QueuesNow): ReadonlyMap<string, number> | undefined =>
  queues && new Map([...queues].map(([name, { agents }]) => [name, agents]));
