/** `npm run bench -- NAME [--json] [options]`: runs one benchmark and prints its figures. */
import { parseArgs } from 'node:util';
import { machine, print } from './harness.mjs';
import * as fairness from './fairness.mjs';
import * as history from './history.mjs';
import * as integrate from './integrate.mjs';
import * as latency from './latency.mjs';
import * as memory from './memory.mjs';
import * as planSize from './plan-size.mjs';
import * as recorder from './recorder.mjs';
import * as restart from './restart.mjs';
import * as schedule from './schedule.mjs';
import * as throughput from './throughput.mjs';
import * as train from './train.mjs';

const benchmarks = {
  integrate,
  history,
  train,
  throughput,
  latency,
  recorder,
  restart,
  memory,
  'plan-size': planSize,
  fairness,
  schedule,
};

function usage() {
  const lines = Object.entries(benchmarks).flatMap(([name, { about, defaults, file }]) => [
    `  ${name.padEnd(12)}${about}`,
    ...(file === undefined ? [] : [`  ${''.padEnd(12)}  ${file}`]),
    ...Object.entries(defaults).map(
      ([option, value]) => `  ${''.padEnd(12)}  --${option} N (default ${value})`,
    ),
  ]);
  return ['Usage: npm run bench -- NAME [--json] [options]', '', ...lines].join('\n');
}

/** @param {string} why @returns {never} */
function refuse(why) {
  console.error(`${why}\n\n${usage()}`);
  process.exit(2);
}

const [name, ...rest] = process.argv.slice(2);
const benchmark = Object.entries(benchmarks).find(([known]) => known === name)?.[1];
if (!benchmark) refuse(name ? `There is no benchmark ‘${name}’.` : 'Which benchmark?');

/** @returns {{ json: boolean, options: Record<string, number>, file: string | undefined }} */
function readOptions() {
  /** @type {Record<string, { type: 'boolean' | 'string' }>} */
  const known = { json: { type: 'boolean' } };
  for (const option of Object.keys(benchmark.defaults)) known[option] = { type: 'string' };
  try {
    const takesFile = 'file' in benchmark;
    const { values, positionals } = parseArgs({
      args: rest,
      options: known,
      allowPositionals: takesFile,
    });
    const { json, ...given } = values;
    if (takesFile && positionals.length !== 1) refuse(`‘${name}’ reads one file: name it.`);
    /** @type {Record<string, number>} */
    const options = { ...benchmark.defaults };
    for (const [option, text] of Object.entries(given)) {
      options[option] = Number(text);
      if (!(options[option] > 0))
        refuse(`--${option} must be a number above 0, not ‘${String(text)}’.`);
    }
    return { json: json === true, options, file: positionals[0] };
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const { json, options, file } = readOptions();
const where = await machine();
const result = await benchmark.run(options, file);
if (json) {
  const { figures, ratio, notes } = result;
  console.log(
    JSON.stringify({
      name,
      ...(ratio !== undefined && { ratio }),
      figures,
      options,
      machine: where,
      notes,
    }),
  );
} else {
  print(name, result, where);
}
