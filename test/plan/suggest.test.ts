import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearest } from '../../src/plan/suggest.js';

test.each([
  ['', '', 0],
  ['needs', 'needs', 0],
  ['need', 'needs', 1],
  ['nedes', 'needs', 1],
  ['kitten', 'sitting', 3],
  ['', 'abc', 3],
])('from %j to %j it is %i edits', (from, to, distance) => {
  expect(editDistance(from, to)).toBe(distance);
  expect(editDistance(to, from)).toBe(distance);
});

test('a limit only ever shortens the search', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 }),
      fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 }),
      fc.nat({ max: 5 }),
      (from, to, limit) => {
        expect(editDistance(from, to, limit)).toBe(Math.min(editDistance(from, to), limit + 1));
      },
    ),
  );
});

test('the nearest name is the likely one, and a far one is none', () => {
  const names = ['name', 'needs', 'run', 'with', 'env'];
  expect(nearest('neds', names)).toBe('needs');
  expect(nearest('NEEDS', names)).toBe('needs');
  expect(nearest('rnu', names)).toBe('run');
  expect(nearest('uses', names)).toBeUndefined();
  expect(nearest('2', ['1', '3'])).toBeUndefined();
});
