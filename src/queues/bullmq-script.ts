/** BullMQ's script that finishes a job, to be the body of a function in scripts of ours. */
import { createRequire } from 'node:module';
import { z } from 'zod';

/** Its keys in their order, behind the queue's first part of keys; the nameless one is the job's own. */
const KEYS = [
  'wait',
  'active',
  'prioritized',
  'events',
  'stalled',
  'limiter',
  'delayed',
  'paused',
  'meta',
  'pc',
  'completed',
  '',
  'metrics:completed',
  'marker',
] as const;

/** Not among what BullMQ exports, but what its workers send; `package.json` names one version of it. */
const { moveToFinished } = z
  .object({ moveToFinished: z.object({ keys: z.literal(KEYS.length), content: z.string() }) })
  .parse(createRequire(import.meta.url)('bullmq/dist/cjs/scripts/moveToFinished-14.js'));

/**
 * `finish(base, job, time, result, fetch, options)`: completes a job as BullMQ's own script does, and returns its
 * answer: the next job or a number. `base` is the first part of the queue's keys, `options` a table of what that
 * script's text says of them. The variables of the function hide the globals of their names.
 */
export const FINISH = `
local function finish(base, job, time, result, fetch, options)
  local KEYS = {}
  for index, name in ipairs({${KEYS.map((name) => `'${name}'`).join()}}) do KEYS[index] = base .. name end
  KEYS[${KEYS.indexOf('') + 1}] = base .. job
  local ARGV = {job, time, 'returnvalue', result, 'completed', fetch, base, cmsgpack.pack(options)}
${moveToFinished.content}
end
`;
