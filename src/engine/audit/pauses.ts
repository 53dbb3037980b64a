/**
 * Compares the fold of what is paused with its stored rows (invariant 1); goals say it in rows of their own. Limits
 * have no rows: they are read from the log each time.
 */
import { isDeepStrictEqual } from 'node:util';
import { SETTINGS } from '../../core/events.js';
import { snapshot } from '../../log/integrity.js';
import type { Log } from '../../log/log.js';
import { listPauses, type Pause, pauseIn } from '../../projections/pauses.js';
import type { Disagreement } from './disagreement.js';

export function auditPauses(log: Log): Disagreement[] {
  return snapshot(log.db, () => {
    const fold = foldOf(log);
    const stored = new Map(listPauses(log.db).map((pause) => [keyOf(pause), pause]));
    return [...new Set([...fold.keys(), ...stored.keys()])].flatMap((key): Disagreement[] => {
      const [told, projection] = [fold.get(key) ?? null, stored.get(key) ?? null];
      if (isDeepStrictEqual(told, projection)) return [];
      return [
        {
          witnesses: ['log', 'projection'],
          goal: null,
          task: null,
          field: 'pause',
          values: { log: told && { ...told }, projection: projection && { ...projection } },
          explanation: `The row of the pause of ${key} and its events differ.`,
        },
      ];
    });
  });
}

/** A pause that is asked for again is the one that began before. */
function foldOf(log: Log): Map<string, Pause> {
  const paused = new Map<string, Pause>();
  for (const entry of log.events({ goal: SETTINGS })) {
    const change = pauseIn(entry);
    if (!change) continue;
    if ('ends' in change) paused.delete(keyOf(change.ends));
    else if (!paused.has(keyOf(change.begins))) paused.set(keyOf(change.begins), change.begins);
  }
  return paused;
}

const keyOf = ({ kind, name }: Pick<Pause, 'kind' | 'name'>): string => `${kind} ${name}`;
