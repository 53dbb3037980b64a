import { expect, it } from 'vitest';
import { durationText } from '../../src/core/duration-text.js';
import { durationSchema } from '../../src/plan/duration.js';

it.each(['0ms', '100ms', '1500ms', '2s', '90s', '5m', '1h', '2d'])(
  'tells %s as people write it',
  (written) => {
    expect(durationText(durationSchema.parse(written))).toBe(written);
  },
);
