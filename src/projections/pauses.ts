/** Which projects and capabilities are paused; goals say so themselves. */
import { and, eq, getTableColumns } from 'drizzle-orm';
import type { NewEvent } from '../core/events.js';
import type { Database } from '../log/database.js';
import { type PauseKind, pauses } from '../log/schema.js';
import { preparedOn, prepareRead } from '../log/statement.js';

export interface Pause {
  readonly kind: PauseKind;
  readonly name: string;
  /** Since when, epoch milliseconds. */
  readonly time: number;
  readonly by: string | null;
  readonly why: string | null;
}

/** What an event changes about the pauses: one begins, or one of a place ends. */
export function pauseIn({
  event,
  project,
  time,
  by,
}: NewEvent): { begins: Pause } | { ends: Pick<Pause, 'kind' | 'name'> } | undefined {
  switch (event.type) {
    case 'project.paused':
    case 'capability.paused':
      return {
        begins: { ...placeOf(event, project), time, by: by ?? null, why: event.why ?? null },
      };
    case 'project.resumed':
    case 'capability.resumed':
      return { ends: placeOf(event, project) };
    default:
      return undefined;
  }
}

/** Folds an event into the stored pauses, in the transaction that appends it. */
export function foldPause(db: Database, entry: NewEvent): void {
  const change = pauseIn(entry);
  if (!change) return;
  if ('begins' in change) db.insert(pauses).values(change.begins).onConflictDoNothing().run();
  else db.delete(pauses).where(at(change.ends.kind, change.ends.name)).run();
}

const readAll = preparedOn((db) =>
  prepareRead(db, getTableColumns(pauses), db.select().from(pauses)),
);

export const listPauses = (db: Database): Pause[] => readAll(db)({});

export const isPaused = (db: Database, kind: PauseKind, name: string): boolean =>
  db.select().from(pauses).where(at(kind, name)).get() !== undefined;

const at = (kind: PauseKind, name: string) => and(eq(pauses.kind, kind), eq(pauses.name, name));

const placeOf = (
  event: { readonly type: string; readonly capability?: string },
  project: string,
): { kind: PauseKind; name: string } =>
  event.capability === undefined
    ? { kind: 'project', name: project }
    : { kind: 'capability', name: event.capability };
