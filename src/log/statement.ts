/**
 * Statements of the hot path, written with drizzle and carried out without it.
 *
 * drizzle's own prepared queries look up each placeholder's and column's kind at every call, which took more time
 * than SQLite did: half of what recording cost (docs/benchmarks.md). Here that is looked up once.
 */
import { Column, getTableColumns, is, Param, Placeholder, type Query } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Database } from './database.js';

/** Values by placeholder. */
type Values = Readonly<Record<string, unknown>>;

interface Written {
  toSQL(): Query;
}

/** Runs a change; returns the row id of the row it inserted last. */
export type Change = (values: Values) => number | bigint;

export function prepareChange(db: Database, written: Written): Change {
  const { sql, params } = written.toSQL();
  const statement = db.$client.prepare(sql);
  const bind = binder(params);
  return (values) => statement.run(bind(values)).lastInsertRowid;
}

/** Reads the rows that match. */
export type Read<Row> = (values: Values) => Row[];

/** @param written a query of all columns of `table`, in its order, as `db.select().from(table)` makes it */
export function prepareRead<T extends SQLiteTable>(
  db: Database,
  table: T,
  written: Written,
): Read<T['$inferSelect']> {
  const { sql, params } = written.toSQL();
  const statement = db.$client.prepare<unknown[], unknown[]>(sql).raw();
  const bind = binder(params);
  const columns = Object.entries<Column>(getTableColumns(table)).map(([key, column]) => ({
    key,
    column,
    isPlain: column.mapFromDriverValue === Column.prototype.mapFromDriverValue,
  }));
  return (values) =>
    statement.all(bind(values)).map((raw) => {
      const row: Record<string, unknown> = {};
      for (let index = 0; index < columns.length; index += 1) {
        const { key, column, isPlain } = columns[index]!;
        const value = raw[index];
        row[key] = isPlain || value === null ? value : column.mapFromDriverValue(value);
      }
      return row;
    });
}

/** What the parameters of a query are, given the values of its placeholders. */
function binder(params: readonly unknown[]): (values: Values) => unknown[] {
  const sources = params.map((param) => {
    const inner = is(param, Param) ? param.value : param;
    if (!is(inner, Placeholder)) return () => param;
    const { name } = inner;
    // What a column makes of its value: JSON text, 0 or 1.
    const { encoder } = is(param, Param) ? param : { encoder: undefined };
    const isPlain =
      !encoder ||
      (is(encoder, Column) && encoder.mapToDriverValue === Column.prototype.mapToDriverValue);
    return isPlain
      ? (values: Values) => values[name]
      : (values: Values) => encoder.mapToDriverValue(values[name]);
  });
  return (values) => sources.map((source) => source(values));
}
