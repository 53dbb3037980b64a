/** BullMQ's scripts that finish a job and take the next one, to be bodies of functions in scripts of ours. */
import { createRequire } from 'node:module';
import { z } from 'zod';

/** Their keys in their order, behind the queue's first part of keys; the nameless one is the job's own. */
const QUEUE_KEYS = [
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
] as const;
const FINISH_KEYS = [...QUEUE_KEYS, 'completed', '', 'metrics:completed', 'marker'] as const;
const FETCH_KEYS = [...QUEUE_KEYS, 'marker'] as const;

/** Not among what BullMQ exports, but what its workers send; `package.json` names one version of it. */
const scriptOf = (name: string, keys: readonly string[]): string => {
  const [command] = name.split('-');
  const schema = z.object({
    [command!]: z.object({ keys: z.literal(keys.length), content: z.string() }),
  });
  const require = createRequire(import.meta.url);
  return schema.parse(require(`bullmq/dist/cjs/scripts/${name}.js`))[command!]!.content;
};

const tableOf = (keys: readonly string[]): string => `{${keys.map((key) => `'${key}'`).join()}}`;

/**
 * `finish(base, job, time, result, fetch, options)`: completes a job as BullMQ's own script does, and returns its
 * answer: the next job or a number. `base` is the first part of the queue's keys, `options` a table of what that
 * script's text says of them. The variables of the function hide the globals of their names.
 */
export const FINISH = `
local function finish(base, job, time, result, fetch, options)
  local KEYS = {}
  for index, name in ipairs(${tableOf(FINISH_KEYS)}) do KEYS[index] = base .. name end
  KEYS[${FINISH_KEYS.indexOf('') + 1}] = base .. job
  local ARGV = {job, time, 'returnvalue', result, 'completed', fetch, base, cmsgpack.pack(options)}
${scriptOf('moveToFinished-14', FINISH_KEYS)}
end
`;

/** `fetch(base, time, options)`: takes the queue's next job as BullMQ's own script does, and returns its answer. */
export const FETCH = `
local function fetch(base, time, options)
  local KEYS = {}
  for index, name in ipairs(${tableOf(FETCH_KEYS)}) do KEYS[index] = base .. name end
  local ARGV = {base, time, cmsgpack.pack(options)}
${scriptOf('moveToActive-11', FETCH_KEYS)}
end
`;
