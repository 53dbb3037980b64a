/** SQLite's door, which tells a binding that was never built from a file that cannot be opened. */
import SqliteDatabase from 'better-sqlite3';
import { DroverError, messageOf } from '../core/errors.js';

export type Sqlite = SqliteDatabase.Database;

/** @throws DroverError `log-unreadable` where better-sqlite3 has no binding for this machine; else what SQLite throws */
export function openSqlite(file: string, options: SqliteDatabase.Options): Sqlite {
  try {
    return new SqliteDatabase(file, options);
  } catch (error) {
    const isUnbuilt = /bindings file|NODE_MODULE_VERSION|ERR_DLOPEN_FAILED/.test(
      `${messageOf(error)} ${error instanceof Error && 'code' in error ? String(error.code) : ''}`,
    );
    if (!isUnbuilt) throw error;
    throw new DroverError(
      'log-unreadable',
      'better-sqlite3, which keeps the log, is not built for this machine and this Node.',
      'Run `npm rebuild better-sqlite3`; npm 11 and later run its install script only where it is approved (`npm approve-scripts better-sqlite3`, or `--allow-scripts=better-sqlite3` for a global install).',
      { cause: error },
    );
  }
}
