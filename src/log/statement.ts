/**
 * Statements of the hot path, written with drizzle and carried out without it.
 *
 * drizzle's own prepared queries look up each placeholder's and column's kind at every call, which took more time
 * than SQLite did: half of what recording cost (docs/benchmarks.md). Here that is looked up once.
 */
import { Column, type GetColumnData, is, Param, Placeholder, type Query } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Database } from './database.js';

/** Values by placeholder. */
type Values = Readonly<Record<string, unknown>>;

interface Written {
  toSQL(): Query;
}

/** Runs a change; returns the row id of the row it inserted last. */
export type Change<T extends object> = (values: T) => number | bigint;

/** How to get at the placeholders whose values are no properties of their own. */
type Computed<T> = Readonly<Record<string, (values: T) => unknown>>;

export function prepareChange<T extends object = Values>(
  db: Database,
  written: Written,
  computed: Computed<T> = {},
): Change<T> {
  const { sql, params } = written.toSQL();
  const statement = db.$client.prepare(sql);
  const bind = binder(params, computed);
  return (values) => statement.run(bind(values)).lastInsertRowid;
}

/**
 * Writes rows that are often written without a change: one that says the same as the last one under its key costs
 * no statement. After a rollback it has to forget what was written.
 */
export class RowWriter<T extends object> {
  private readonly written = new Map<string, readonly unknown[]>();
  private readonly statement;
  private readonly bind;

  constructor(db: Database, written: Written, computed: Computed<T> = {}) {
    const { sql, params } = written.toSQL();
    this.statement = db.$client.prepare(sql);
    this.bind = binder(params, computed);
  }

  write(key: string, values: T): void {
    const bound = this.bind(values);
    const before = this.written.get(key);
    if (before && bound.every((value, index) => value === before[index])) return;
    this.statement.run(bound);
    this.written.set(key, bound);
  }

  forget(key: string): void {
    this.written.delete(key);
  }

  forgetAll(): void {
    this.written.clear();
  }
}

/** Prepares at the first use on each database, since preparing costs more than most small reads do. */
export function preparedOn<T>(prepare: (db: Database) => T): (db: Database) => T {
  const known = new WeakMap<Database, T>();
  return (db) => {
    const prepared = known.get(db) ?? prepare(db);
    known.set(db, prepared);
    return prepared;
  };
}

type Columns = Record<string, SQLiteColumn>;
type RowOf<C extends Columns> = { [K in keyof C]: GetColumnData<C[K]> };

/** Reads the rows that match. */
export type Read<Row> = (values: Values) => Row[];

/** @param written a query of these columns, in this order, as `db.select(columns).from(table)` makes it */
export function prepareRead<C extends Columns>(
  db: Database,
  columns: C,
  written: Written,
): Read<RowOf<C>> {
  const { sql, params } = written.toSQL();
  const statement = db.$client.prepare<unknown[], unknown[]>(sql).raw();
  const bind = binder<Values>(params);
  const read = Object.entries(columns).map(([key, column]) => ({
    key,
    column,
    isPlain: column.mapFromDriverValue === Column.prototype.mapFromDriverValue,
  }));
  return (values) =>
    statement.all(bind(values)).map((raw) => {
      const row: Record<string, unknown> = {};
      for (let index = 0; index < read.length; index += 1) {
        const { key, column, isPlain } = read[index]!;
        const value = raw[index];
        row[key] = isPlain || value === null ? value : column.mapFromDriverValue(value);
      }
      return row as RowOf<C>;
    });
}

/** What the parameters of a query are, given the values of its placeholders. */
function binder<T extends object>(
  params: readonly unknown[],
  computed: Computed<T> = {},
): (values: T) => unknown[] {
  const sources = params.map((param): ((values: T) => unknown) => {
    const inner = is(param, Param) ? param.value : param;
    if (!is(inner, Placeholder)) return () => param;
    const { name } = inner;
    const read = computed[name] ?? ((values: T) => (values as Values)[name]);
    // What a column makes of its value: JSON text, 0 or 1.
    const { encoder } = is(param, Param) ? param : { encoder: undefined };
    const isPlain =
      !encoder ||
      (is(encoder, Column) && encoder.mapToDriverValue === Column.prototype.mapToDriverValue);
    return isPlain ? read : (values: T) => encoder.mapToDriverValue(read(values));
  });
  return (values) => sources.map((source) => source(values));
}
