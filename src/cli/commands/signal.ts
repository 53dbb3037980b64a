/** `drover signal`: tells a goal that something has happened. */
import { ask } from '../asking.js';
import { readJson } from '../changes.js';
import { defineDroverCommand } from '../command.js';

export const signalCommand = defineDroverCommand({
  name: 'signal',
  description: 'Let tasks of a goal go on that wait for a signal, now or later',
  args: {
    goal: { type: 'positional', description: 'Goal such as goal-7' },
    name: { type: 'positional', description: 'Name of the signal' },
    data: { type: 'string', valueHint: 'JSON', description: 'What the tasks are told' },
    'data-dir': {
      type: 'string',
      valueHint: 'DIR',
      description:
        'Data directory, which other commands call --data; default: $DROVER_DATA, else .drover',
    },
  },
  examples: [
    { run: 'drover signal goal-7 deployed', what: 'Tasks with `wait: {signal: deployed}` go on.' },
    { run: 'drover signal goal-7 deployed --data \'{"version": 3}\'', what: 'And are told more.' },
  ],
  run: ({ args: { goal, name, data }, globals }) =>
    ask(globals, async (desk) => {
      await desk.signal(goal, name, data === undefined ? null : readJson('data', data));
      return [{ goal, signal: name }, `${goal} has the signal ‘${name}’.`];
    }),
});
