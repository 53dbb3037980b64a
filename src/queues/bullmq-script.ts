/** BullMQ's script that finishes a job, to be the body of a function in scripts of ours. */
import { createRequire } from 'node:module';
import { z } from 'zod';

/** How many keys it has. */
export const FINISH_KEYS = 14;

/** Not among what BullMQ exports, but what its workers send; `package.json` names one version of it. */
const { moveToFinished } = z
  .object({ moveToFinished: z.object({ keys: z.literal(FINISH_KEYS), content: z.string() }) })
  .parse(createRequire(import.meta.url)('bullmq/dist/cjs/scripts/moveToFinished-14.js'));

/**
 * `finish(KEYS, ARGV)`: the answer of BullMQ's own script, the next job or a number. The parameters hide the globals
 * of their names.
 */
export const FINISH = `
local function finish(KEYS, ARGV)
${moveToFinished.content}
end
`;
