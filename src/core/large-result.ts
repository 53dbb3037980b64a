/** What stands for a result that is too large to be passed along. */
import { z } from 'zod';

/** Bytes of JSON that are passed along as they are: 64 KiB. */
export const INLINE_LIMIT = 64 * 1024;

/** The JSON lies in a file of this name in a data directory's `results`. */
export const referenceSchema = z.strictObject({
  $result: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().min(0),
});
