/**
 * Values of code as JSON. What JSON would leave out, or make something else of, without a word is refused, with where
 * it is and what to write in its place.
 */
import { types } from 'node:util';
import { DroverError, messageOf } from './errors.js';
import type { Json } from './plan.js';

/** JSON as a value and as text, which is made once. */
export interface Written<T extends Json = Json> {
  readonly value: T;
  readonly text: string;
}

type Path = readonly (string | number)[];

/** Levels of lists and objects. The recorder takes a hundred more, for what is wrapped around a value. */
export const MAX_DEPTH = 400;

/** Characters of a path that are shown. */
const SHOWN = 120;

/** What keeps a value from being JSON: where it is, and what to do about it. */
export class NotJson extends Error {
  override readonly name = 'NotJson';

  constructor(
    readonly path: Path,
    readonly what: string,
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(what, options);
  }

  /** @param subject what the path begins in, at the beginning of a sentence */
  refusal(subject: string, path: Path = this.path): DroverError {
    const keys = path.join('.');
    const shown = keys.length > SHOWN ? `${keys.slice(0, SHOWN)}…` : keys;
    const where = path.length === 0 ? 'it' : `‘${shown}’`;
    const message = `${subject} is not JSON: ${where} ${this.what}.`;
    return new DroverError('bad-input', message, this.remedy, { cause: this.cause });
  }
}

/**
 * A copy of the value that is JSON. As in JSON, undefined fields are left out, undefined items are null, `toJSON` is
 * asked, and of an object of any class the fields count; undefined itself is null.
 * @throws NotJson
 */
export function jsonOf(value: unknown): Json {
  const reader = new Reader();
  try {
    return reader.read(value, '') ?? null;
  } catch (error) {
    if (error instanceof NotJson) throw error;
    const what = `cannot be read: ${messageOf(error)}`;
    const remedy = 'See to what computes it, its toJSON() or a getter, or leave it out.';
    throw new NotJson([...reader.path], what, remedy, { cause: error });
  }
}

/**
 * The same with its text.
 * @param what the value's name, at the beginning of a sentence
 * @throws DroverError `bad-input`; `too-large` for more than a text can hold
 */
export function writeJson(value: unknown, what: string): Written {
  // What most tasks return.
  if (value === undefined) return { value: null, text: 'null' };
  try {
    return written(jsonOf(value), what);
  } catch (error) {
    throw error instanceof NotJson ? error.refusal(what) : error;
  }
}

/** JSON with its text. @throws DroverError `too-large` */
export function written<T extends Json>(value: T, what: string): Written<T> {
  try {
    return { value, text: JSON.stringify(value) };
  } catch (error) {
    const remedy = 'Write it to a file and hand on the path.';
    throw new DroverError('too-large', `${what} is too large for JSON.`, remedy, { cause: error });
  }
}

class Reader {
  readonly path: (string | number)[] = [];
  /** The objects on the way to the value in hand. */
  private readonly within: object[] = [];

  /** @returns undefined for what JSON leaves out as a field */
  read(given: unknown, key: string | number): Json | undefined {
    const value = this.asked(given, key);
    if (typeof value === 'object') return value === null ? null : this.readObject(value);
    switch (typeof value) {
      case 'undefined':
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        if (Number.isFinite(value)) return value;
        return this.refuse(`is ${value}`, 'Write null or a text in its place.');
      case 'bigint':
        return this.refuse(
          'is a big integer',
          'Write it as a text, String(value), or as a number.',
        );
      case 'symbol':
        return this.refuse('is a symbol', 'Write a text in its place.');
      default:
        return this.refuse('is a function', 'Leave it out, or write what it returns.');
    }
  }

  /** What the value itself says that it is in JSON. */
  private asked(value: unknown, key: string | number): unknown {
    if ((typeof value !== 'object' && typeof value !== 'bigint') || value === null) return value;
    if (types.isBoxedPrimitive(value)) return value.valueOf();
    // JSON makes null of it, as of NaN.
    if (types.isDate(value) && Number.isNaN(value.getTime())) {
      return this.refuse('is no valid date', 'Write null or a text in its place.');
    }
    const { toJSON } = value as { readonly toJSON?: unknown };
    return typeof toJSON === 'function' ? toJSON.call(value, String(key)) : value;
  }

  private readObject(object: object): Json {
    if (this.within.includes(object)) {
      return this.refuse(
        'is an object that contains itself',
        'Leave out what leads back to it, or write an id in its place.',
      );
    }
    if (this.within.length === MAX_DEPTH) {
      return this.refuse(
        `is nested more than ${MAX_DEPTH} levels deep`,
        'Write lists in place of what leads from one to the next, or a file, and hand on its path.',
      );
    }
    this.within.push(object);
    const json = Array.isArray(object) ? this.readList(object) : this.readFields(object);
    this.within.pop();
    return json;
  }

  private readList(list: readonly unknown[]): Json {
    const items: Json[] = [];
    // By number, as JSON does: holes count as well, and an iterator of the list's own does not.
    for (let index = 0; index < list.length; index += 1) {
      items.push(this.readAt(list, index) ?? null);
    }
    return items;
  }

  private readFields(object: object): Json {
    const keys = Object.keys(object);
    const remedy = remedyFor(object, keys.length === 0);
    if (remedy !== undefined) {
      this.refuse(`is of the class ${classOf(object)}, whose content JSON leaves out`, remedy);
    }
    const fields: [string, Json][] = [];
    for (const key of keys) {
      const json = this.readAt(object, key);
      if (json !== undefined) fields.push([key, json]);
    }
    return Object.fromEntries(fields);
  }

  private readAt(object: object, key: string | number): Json | undefined {
    this.path.push(key);
    const json = this.read(object[key as keyof typeof object], key);
    this.path.pop();
    return json;
  }

  private refuse(what: string, remedy: string): never {
    throw new NotJson([...this.path], what, remedy);
  }
}

/** What to do about an object whose content is not in its fields; undefined for any other. */
function remedyFor(object: object, isEmpty: boolean): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(object);
  // Plain objects, of whatever realm.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return undefined;
  if (types.isMap(object)) {
    return 'Make an object of it, Object.fromEntries(map), or a list of pairs, [...map].';
  }
  if (types.isSet(object)) return 'Make a list of it: [...set].';
  if (types.isNativeError(object)) {
    return 'Write its message, or throw it where the task has failed.';
  }
  if (types.isPromise(object)) {
    // Nobody will wait for it now, and where it failed that would end the process.
    object.catch(() => undefined);
    return 'Wait for it with await.';
  }
  if (ArrayBuffer.isView(object)) {
    return 'Make a list of it, Array.from(…), or write bytes to a file and hand on its path.';
  }
  return isEmpty
    ? 'Write its content as a plain object, a list or a text, or give its class a toJSON().'
    : undefined;
}

const classOf = (object: object): string =>
  object.constructor?.name || Object.prototype.toString.call(object).slice(8, -1);
