/** Compares the fold of each schedule's events with its stored row (invariant 1), and its firings with its goals. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../core/plan.js';
import { evolveSchedule, scheduleSubject, type ScheduleView } from '../../core/schedule.js';
import { scheduleNames, snapshot } from '../../log/integrity.js';
import type { Log } from '../../log/log.js';
import { loadSchedule } from '../../projections/schedules.js';
import type { Disagreement } from './disagreement.js';

export function auditSchedules(log: Log): Disagreement[] {
  return snapshot(log.db, () =>
    [...new Set(scheduleNames(log.db))].flatMap((name) => auditSchedule(log, name)),
  );
}

function auditSchedule(log: Log, name: string): Disagreement[] {
  const found: Disagreement[] = [];
  let fold: ScheduleView | undefined;
  const fired = new Set<number>();
  for (const entry of log.events({ goal: scheduleSubject(name) })) {
    const { event, seq } = entry;
    fold = evolveSchedule(fold, entry);
    if (event.type !== 'schedule.fired' || event.due === null) continue;
    if (fired.has(event.due)) {
      const explanation = `The schedule ‘${name}’ fired twice for ${new Date(event.due).toISOString()}.`;
      found.push(disagreement('schedule.fired', { log: seq }, explanation));
    }
    fired.add(event.due);
  }
  const stored = loadSchedule(log.db, name);
  if (!isDeepStrictEqual(fold, stored)) {
    // Both come from JSON, out of the log or out of the rows.
    const values = { log: (fold ?? null) as Json, projection: (stored ?? null) as Json };
    found.push(
      disagreement('schedule', values, `The row of the schedule ‘${name}’ and its events differ.`),
    );
  }
  return found;
}

const disagreement = (
  field: string,
  values: Disagreement['values'],
  explanation: string,
): Disagreement => ({
  witnesses: ['log', ...('projection' in values ? (['projection'] as const) : [])],
  goal: null,
  task: null,
  field,
  values,
  explanation,
});
