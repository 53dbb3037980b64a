/** `drover edit`: changes a task that has not begun. */
import { DroverError } from '../../core/errors.js';
import { ask, WHY } from '../asking.js';
import { CHANGE_ARGS, readChanges } from '../changes.js';
import { defineDroverCommand } from '../command.js';

export const editCommand = defineDroverCommand({
  name: 'edit',
  description: 'Change the text, retry policy or priority of a task that has not begun',
  args: {
    task: { type: 'positional', description: 'Task such as task-123' },
    ...CHANGE_ARGS,
    why: WHY,
  },
  examples: [
    { run: 'drover edit task-12 --run "npm test"', what: 'Gives it another command.' },
    {
      run: "drover edit task-12 --retry '{attempts: 5, backoff: {type: fixed, delay: 10s}}'",
      what: 'Tries it more often; what is not named of its retries stays.',
    },
    { run: 'drover edit task-12 --priority urgent', what: 'Lets it go first.' },
    {
      run: 'drover edit task-12 --with \'{"branch": "main"}\'',
      what: 'Gives its agent another input.',
    },
  ],
  run({ args, globals }) {
    const changes = readChanges(args);
    if (Object.keys(changes).length === 0) {
      const options = Object.keys(CHANGE_ARGS).map((name) => `--${name}`);
      throw new DroverError(
        'bad-input',
        `Nothing is named that changes about ${args.task}.`,
        `Name it with ${options.slice(0, -1).join(', ')} or ${options.at(-1)}.`,
      );
    }
    return ask(globals, async (desk) => {
      await desk.edit(args.task, changes, args.why);
      return [{ edited: args.task }, `${args.task} is changed.`];
    });
  },
});
