/** `drover signal`: tells a goal that something has happened. */
import { DroverError } from '../../core/errors.js';
import type { Json } from '../../core/plan.js';
import { ask } from '../asking.js';
import { readJson } from '../changes.js';
import { defineDroverCommand } from '../command.js';

export const signalCommand = defineDroverCommand({
  name: 'signal',
  description: 'Let tasks of a goal go on that wait for a signal, now or later',
  args: {
    goal: { type: 'positional', description: 'Goal such as goal-7' },
    name: { type: 'positional', description: 'Name of the signal' },
    data: {
      type: 'string',
      valueHint: 'JSON',
      description: 'What the tasks are told, as JSON; here not the data directory',
    },
    'data-dir': {
      type: 'string',
      valueHint: 'DIR',
      description:
        'Data directory, in place of --data, which is JSON here; else DROVER_DATA, else .drover',
    },
  },
  examples: [
    { run: 'drover signal goal-7 deployed', what: 'Tasks with `wait: {signal: deployed}` go on.' },
    { run: 'drover signal goal-7 deployed --data \'{"version": 3}\'', what: 'And are told more.' },
  ],
  async run({ args: { goal, name, data }, globals }) {
    // Before the data directory is looked for, which may be what was meant.
    const told = data === undefined ? null : readData(data);
    return ask(globals, async (desk) => {
      await desk.signal(goal, name, told);
      return [{ goal, signal: name }, `${goal} has the signal ‘${name}’.`];
    });
  },
});

/** Everywhere else --data names a folder. */
function readData(text: string): Json {
  try {
    return readJson('data', text);
  } catch (error) {
    throw new DroverError(
      'bad-input',
      `--data is what the tasks are told, as JSON, and ‘${text}’ is none.`,
      'Write for instance --data \'{"version": 2}\'; the data directory is named with --data-dir here.',
      { cause: error },
    );
  }
}
