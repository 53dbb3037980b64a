import { expect, test } from 'vitest';
import { parseMoment } from '../../src/cli/moment.js';

const NOW = 1_800_000_000_000;

test.each([
  ['120', { seq: 120 }],
  ['1', { seq: 1 }],
  ['1700000000000', { time: 1_700_000_000_000 }],
  ['2026-03-01T12:00:00Z', { time: Date.UTC(2026, 2, 1, 12) }],
  ['2028-02-29T12:00:00+02:00', { time: Date.UTC(2028, 1, 29, 10) }],
  ['-5m', { time: NOW - 300_000 }],
  ['-1.5h', { time: NOW - 5_400_000 }],
  ['-250ms', { time: NOW - 250 }],
  ['-2d', { time: NOW - 172_800_000 }],
])('%s is a moment', (text, moment) => {
  expect(parseMoment(text, NOW)).toEqual(moment);
});

test.each([
  '',
  'soon',
  '5m',
  '-5',
  '-5y',
  'task-12',
  '2026-99-01',
  '2026-02-30',
  '2026-02-29T12:00',
  '1e3',
  '99999999999999999999',
])('‘%s’ is none', (text) => {
  expect(() => parseMoment(text, NOW)).toThrow(expect.objectContaining({ code: 'bad-input' }));
});
