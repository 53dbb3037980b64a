/** Values that handlers return, as JSON. */
import { describe, expect, it } from 'vitest';
import { asJson } from '../../src/agents/context.js';

const circle: Record<string, unknown> = {};
circle['self'] = { list: [circle] };

let deep: unknown = 1;
for (let level = 0; level < 100_000; level += 1) deep = [deep];

describe('a value', () => {
  it.each([
    ['contains itself', circle],
    ['is nested too deeply', deep],
    ['has a big integer', { count: 1n }],
  ])('that %s is refused by name', (_, value) => {
    expect(() => asJson(value, 'The result of task-1')).toThrow(
      expect.objectContaining({ code: 'bad-input', message: 'The result of task-1 is not JSON.' }),
    );
  });

  it('that stands in two places is no circle', () => {
    const twice = { a: 1 };
    expect(asJson([twice, twice], 'It')).toEqual([{ a: 1 }, { a: 1 }]);
  });

  it.each([
    [undefined, null],
    [{ a: undefined, b: new Date(0) }, { b: '1970-01-01T00:00:00.000Z' }],
    [{ list: [1, 'two', null, true] }, { list: [1, 'two', null, true] }],
  ])('%j is taken as JSON has it', (value, json) => {
    expect(asJson(value, 'It')).toEqual(json);
  });
});
