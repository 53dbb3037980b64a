/**
 * Opens the SQLite file. WAL, so that readers never wait for the writer; `synchronous=FULL`, so that what was
 * acknowledged survives a power cut.
 *
 * Invariants kept here: 6 (only one process opens the log for writing, see writer-lock.ts).
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import { z } from 'zod';
import { DroverError, messageOf } from '../core/errors.js';
import { makeDataDir } from './data-dir.js';
import * as schema from './schema.js';
import { openSqlite, type Sqlite } from './sqlite.js';

export type Database = BetterSQLite3Database<typeof schema> & { readonly $client: Sqlite };
export interface OpenDatabase {
  readonly db: Database;
  readonly close: () => void;
}

const MIGRATIONS = fileURLToPath(new URL('../../drizzle', import.meta.url));
const journalSchema = z.object({ entries: z.array(z.unknown()) });

/** The log's file in a data directory. */
export const logFile = (dataDir: string): string => join(dataDir, 'drover.sqlite');

/**
 * @throws DroverError `log-unwritable`, `log-unreadable`, `log-newer` or, for readers, `not-found`.
 */
export function openDatabase(dataDir: string, mode: 'write' | 'read'): OpenDatabase {
  const file = logFile(dataDir);
  if (mode === 'read') requireLog(dataDir, file);
  let sqlite: Sqlite | undefined;
  try {
    if (mode === 'write') makeDataDir(dataDir);
    sqlite = openSqlite(file, { readonly: mode === 'read', timeout: 5_000 });
    if (mode === 'write') sqlite.pragma('journal_mode = WAL');
    sqlite.pragma('synchronous = FULL');
    // Pages between two checkpoints; SQLite's 1,000 are a few commits here, and each page would be written twice.
    sqlite.pragma('wal_autocheckpoint = 4000');
    const db = drizzle(sqlite, { schema });
    refuseNewer(sqlite, file);
    if (mode === 'write') migrate(db, { migrationsFolder: MIGRATIONS });
    return { db, close: () => sqlite?.close() };
  } catch (error) {
    sqlite?.close();
    throw explain(error, file, mode);
  }
}

/** Where the folder may not be looked into, nobody can say that there is none. */
function requireLog(dataDir: string, file: string): void {
  try {
    if (statSync(file, { throwIfNoEntry: false })) return;
  } catch (error) {
    throw explain(error, file, 'read');
  }
  throw new DroverError(
    'not-found',
    `There is no log in ${dataDir}.`,
    'Name the data directory with --data, or start Drover there with `drover up`.',
  );
}

/** A log that a later Drover has written may hold what this one would misread; it is left untouched. */
function refuseNewer(sqlite: Sqlite, file: string): void {
  const table = sqlite
    .prepare("SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'")
    .get();
  if (!table) return;
  const row = sqlite.prepare('SELECT count(*) AS applied FROM __drizzle_migrations').get();
  const { applied } = z.object({ applied: z.number() }).parse(row);
  const journal = readFileSync(join(MIGRATIONS, 'meta', '_journal.json'), 'utf8');
  const known = journalSchema.parse(JSON.parse(journal)).entries.length;
  if (applied <= known) return;
  throw new DroverError(
    'log-newer',
    `${file} was written by a newer Drover (schema ${applied}, this one knows ${known}).`,
    'Install that version or a later one; this one changes nothing in the file.',
  );
}

function explain(error: unknown, file: string, mode: 'write' | 'read'): unknown {
  if (error instanceof DroverError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (/READONLY|CANTOPEN|EACCES|EROFS|EPERM/.test(code)) {
    return new DroverError(
      mode === 'write' ? 'log-unwritable' : 'log-unreadable',
      `Cannot open ${file} for ${mode === 'write' ? 'writing' : 'reading'}: ${messageOf(error)}.`,
      'Give this user access to the data directory, or name another one with --data.',
      { cause: error },
    );
  }
  return new DroverError(
    'log-unreadable',
    `${file} cannot be read as Drover's log: ${messageOf(error)}.`,
    'Restore the file from a backup, or rebuild the log elsewhere from an export with `drover log import`.',
    { cause: error },
  );
}
