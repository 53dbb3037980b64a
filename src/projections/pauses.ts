/** Which projects and capabilities are paused; goals say so themselves. */
import { and, eq } from 'drizzle-orm';
import type { NewEvent } from '../core/events.js';
import type { Database } from '../log/database.js';
import { type PauseKind, pauses } from '../log/schema.js';

export interface Pause {
  readonly kind: PauseKind;
  readonly name: string;
  /** Since when, epoch milliseconds. */
  readonly time: number;
  readonly by: string | null;
  readonly why: string | null;
}

/** Folds an event into the stored pauses, in the transaction that appends it. */
export function foldPause(db: Database, { event, project, time, by }: NewEvent): void {
  switch (event.type) {
    case 'project.paused':
    case 'capability.paused': {
      const row = { ...placeOf(event, project), time, by: by ?? null, why: event.why ?? null };
      db.insert(pauses).values(row).onConflictDoNothing().run();
      return;
    }
    case 'project.resumed':
    case 'capability.resumed': {
      const { kind, name } = placeOf(event, project);
      db.delete(pauses).where(at(kind, name)).run();
      return;
    }
    default:
      return;
  }
}

export const listPauses = (db: Database): Pause[] => db.select().from(pauses).all();

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
