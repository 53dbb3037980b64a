import { expect, test } from 'vitest';
import { counted, firstOf } from '../../src/core/counted.js';

test('one is told in the singular, and nothing and several in the plural', () => {
  expect([0, 1, 2].map((count) => counted(count, 'task'))).toEqual([
    '0 tasks',
    '1 task',
    '2 tasks',
  ]);
  expect([1, 2].map((count) => counted(count, 'line was', 'lines were'))).toEqual([
    '1 line was',
    '2 lines were',
  ]);
});

test('of a long list the first are named, and how many more there are', () => {
  const names = ['a', 'b', 'c'];
  expect([2, 3].map((most) => firstOf(names, most))).toEqual(['a, b and 1 more', 'a, b, c']);
});
