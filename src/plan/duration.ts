/** Durations as people write them: milliseconds, or a number with its unit. */
import { z } from 'zod';
import { DURATION_UNITS } from '../core/duration-text.js';

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
/** What a timer can hold. */
const LONGEST = 2_147_483_647;

export const DURATION_RULE = 'milliseconds, or a number with its unit: 500ms, 30s, 5m, 1h, 2d';

/** Reads a duration; the result is whole milliseconds. */
export const durationSchema = z
  .union([z.int().min(0), z.string().regex(DURATION, { error: 'is not a duration' })], {
    error: 'is not a duration',
  })
  .transform((written) => {
    if (typeof written === 'number') return written;
    const [, amount, unit] = DURATION.exec(written)!;
    return Math.round(Number(amount) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS]);
  })
  .refine((milliseconds) => milliseconds <= LONGEST, { error: 'must be at most 24 days' });
