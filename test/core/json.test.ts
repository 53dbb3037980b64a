/** Values of code, as JSON: what tasks and steps return, and what is handed in. */
import fc from 'fast-check';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { jsonOf, MAX_DEPTH, writeJson } from '../../src/core/json.js';

const circle: Record<string, unknown> = {};
circle['self'] = { list: [circle] };

const nested = (levels: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
};

class Point {
  readonly #secret = 1;
  constructor(
    readonly x: number,
    readonly next?: Point,
  ) {}
  get secret(): number {
    return this.#secret;
  }
}
class Hidden {
  readonly #content = 1;
  get content(): number {
    return this.#content;
  }
}

describe('a value', () => {
  it.each([
    ['a map', new Map([['a', 1]]), 'it is of the class Map, whose content', 'Object.fromEntries'],
    ['a map in a list', { a: [1, new Map()] }, '‘a.1’ is of the class Map', 'Object.fromEntries'],
    ['an invalid date', { at: new Date('soon') }, '‘at’ is no valid date', 'a text in its place'],
    ['a set', { tags: new Set(['x']) }, '‘tags’ is of the class Set', '[...set]'],
    ['an error', { why: new TypeError('no') }, '‘why’ is of the class TypeError', 'its message'],
    ['a promise', [Promise.resolve(1)], '‘0’ is of the class Promise', 'await'],
    ['bytes', { b: new Uint8Array(2) }, '‘b’ is of the class Uint8Array', 'Array.from'],
    ['a pattern', { p: /x/ }, '‘p’ is of the class RegExp', 'toJSON()'],
    [
      'an object with nothing to see',
      { h: new Hidden() },
      '‘h’ is of the class Hidden',
      'toJSON()',
    ],
    ['a function', () => 1, 'it is a function', 'what it returns'],
    ['a function in a field', { done: () => 1 }, '‘done’ is a function', 'what it returns'],
    ['a symbol', { s: Symbol('x') }, '‘s’ is a symbol', 'a text'],
    ['no number', { mean: 0 / 0 }, '‘mean’ is NaN', 'null or a text'],
    ['no finite number', [1, [-1 / 0]], '‘1.0’ is -Infinity', 'null or a text'],
    ['a big integer', { count: 1n }, '‘count’ is a big integer', 'String(value)'],
    ['a circle', { a: circle }, '‘a.self.list.0’ is an object that contains itself', 'an id'],
    ['too deep', nested(100_000), `is nested more than ${MAX_DEPTH} levels deep`, 'its path'],
    [
      'a toJSON that returns a map',
      { t: { toJSON: () => new Map() } },
      '‘t’ is of the class Map',
      '',
    ],
  ])('with %s is refused, with where it is and what to do', (_, value, where, remedy) => {
    expect(() => writeJson(value, 'The result of task-1')).toThrow(
      expect.objectContaining({
        code: 'bad-input',
        message: expect.stringMatching(/^The result of task-1 is not JSON: .+\.$/),
        remedy: expect.stringContaining(remedy),
      }),
    );
    expect(() => writeJson(value, 'The result of task-1')).toThrow(where);
  });

  it('that cannot be read is refused with what it said', () => {
    const cause = new Error('closed');
    const fails = (): never => {
      throw cause;
    };
    const computed = Object.defineProperty({}, 'rows', { get: fails, enumerable: true });
    const item = Object.defineProperty([1], 0, { get: fails });
    const closed = new Proxy({}, { ownKeys: fails });
    const values = [{ a: { toJSON: fails } }, { a: computed }, { a: item }, { a: closed }];
    for (const value of values) {
      expect(() => writeJson(value, 'It')).toThrow(
        expect.objectContaining({
          message: expect.stringMatching(/^It is not JSON: ‘a.*’ cannot be read: closed\.$/),
          remedy: expect.any(String),
          cause,
        }),
      );
    }
  });

  it('that is a list is read by number, whatever iterates over it', () => {
    const list = Object.assign([1, 2], { [Symbol.iterator]: () => [7].values() });
    expect(jsonOf(list)).toEqual([1, 2]);
  });

  it('that stands in two places is no circle', () => {
    const twice = { a: 1 };
    expect(jsonOf([twice, twice])).toEqual([{ a: 1 }, { a: 1 }]);
  });

  it('may be as deep as is said', () => {
    expect(jsonOf(nested(MAX_DEPTH))).toEqual(nested(MAX_DEPTH));
    expect(() => jsonOf(nested(MAX_DEPTH + 1))).toThrow('levels deep');
  });

  it('has its path cut where it is long', () => {
    const value = { ['k'.repeat(10_000)]: 1n };
    expect(() => writeJson(value, 'It')).toThrow(/^It is not JSON: ‘k{120}…’ is a big integer\.$/);
  });

  it.each([
    ['undefined', undefined],
    ['undefined fields and items', { a: undefined, list: [undefined, 1] }],
    ['holes', Object.assign([], { 2: 1 })],
    ['dates and bytes with a toJSON', { at: new Date(0), b: Buffer.from('x') }],
    ['objects of a class', new Point(1, new Point(2))],
    ['objects of no class', Object.assign(Object.create(null) as object, { a: 1 })],
    ['objects of another realm', runInNewContext('({ a: {}, b: [] })')],
    ['boxed values', [Object('x'), Object(1), Object(true)]],
    ['a toJSON with its key', { a: { toJSON: (key: string) => [key] } }],
    ['a toJSON that says nothing', { a: { toJSON: () => undefined }, b: 1 }],
    ['odd keys', JSON.parse('{"__proto__": {"a": 1}, "": 2}')],
  ])('with %s is taken as JSON has it', (_, value) => {
    const { value: json, text } = writeJson(value, 'It');
    expect(text).toBe(JSON.stringify(value) ?? 'null');
    expect(json).toEqual(JSON.parse(text));
  });

  it('of plain data is what JSON makes of it, as a copy', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(writeJson(value, 'It').text).toBe(JSON.stringify(value));
      }),
    );
    const given = { list: [{ a: 1 }] };
    const { value } = writeJson(given, 'It');
    given.list[0]!.a = 2;
    expect(value).toEqual({ list: [{ a: 1 }] });
  });
});
