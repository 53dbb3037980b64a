import { expect, test } from 'vitest';
import { counted } from '../../src/core/counted.js';

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
