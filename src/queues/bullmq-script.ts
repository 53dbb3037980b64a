/** BullMQ's scripts that add a job, finish one and take the next, to be bodies of functions in scripts of ours. */
import { createRequire } from 'node:module';
import { z } from 'zod';

/** Keys of the scripts in their order, behind the queue's first part of keys; the nameless one is the job's own. */
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
const PARENT_KEYS = ['meta', 'id', 'delayed', 'waiting-children', 'completed', 'events'] as const;
const DELAYED_KEYS = ['marker', 'meta', 'id', 'delayed', 'completed', 'events'] as const;
const PRIORITIZED_KEYS = [
  'marker',
  'meta',
  'id',
  'prioritized',
  'delayed',
  'completed',
  'active',
  'events',
  'pc',
] as const;

/** Not among what BullMQ exports, but what its workers send; `package.json` names one version of it. */
const scriptOf = (name: string, keys: readonly string[]): string => {
  const [command] = name.split('-');
  const schema = z.object({
    [command!]: z.object({ keys: z.literal(keys.length), content: z.string() }),
  });
  const require = createRequire(import.meta.url);
  return schema.parse(require(`bullmq/dist/cjs/scripts/${name}.js`))[command!]!.content;
};

/**
 * A function whose parameters begin with `base`, the first part of the queue's keys. Its variables hide the globals of
 * their names; what the script takes for packed, it is given as it is.
 * @param argv what the script is to find in ARGV, made of the parameters
 */
const functionOf = (
  name: string,
  parameters: string,
  script: string,
  keys: readonly string[],
  argv: string,
): string => `
local function ${name}(base, ${parameters})
  local KEYS = {${keys.map((key) => `base .. ${key === '' ? 'job' : `'${key}'`}`).join(', ')}}
  local ARGV = {${argv}}
  local cmsgpack = {unpack = function(value) return value end}
${scriptOf(script, keys)}
end
`;

/**
 * `finish(base, job, time, result, fetch, options)`: completes a job as BullMQ's own script does, and returns its
 * answer: the next job or a number. `options` is a table of what that script's text says of them.
 */
export const FINISH = functionOf(
  'finish',
  'job, time, result, fetch, options',
  'moveToFinished-14',
  FINISH_KEYS,
  "job, time, 'returnvalue', result, 'completed', fetch, base, options",
);

/** `fetch(base, time, options)`: takes the queue's next job as BullMQ's own script does, and returns its answer. */
export const FETCH = functionOf(
  'fetch',
  'time, options',
  'moveToActive-11',
  FETCH_KEYS,
  'base, time, options',
);

const adder = (name: string, script: string, keys: readonly string[]): string =>
  functionOf(name, 'args, data, options', script, keys, 'args, data, options');

/**
 * `addParent`, `addDelayed` and `addPrioritized` (base, args, data, options): add a job that waits for children, for its
 * time, or for a worker. `args` and `options` are tables of what those scripts' text says of them. Each returns the job's
 * id or a number below 0.
 */
export const ADD =
  adder('addParent', 'addParentJob-6', PARENT_KEYS) +
  adder('addDelayed', 'addDelayedJob-6', DELAYED_KEYS) +
  adder('addPrioritized', 'addPrioritizedJob-9', PRIORITIZED_KEYS);
