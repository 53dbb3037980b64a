/** `drover retry`: gives a failed task all its attempts again. */
import { defineDroverCommand } from '../command.js';
import { OFFLINE_NOTE, openDesk } from '../desk.js';
import { EXIT } from '../exit.js';
import { print, printJson } from '../output.js';

export const retryCommand = defineDroverCommand({
  name: 'retry',
  description: 'Give a failed task all its attempts again; what it blocked goes on after it',
  args: {
    task: { type: 'positional', description: 'Task such as task-123' },
    why: { type: 'string', valueHint: 'TEXT', description: 'Reason, for the log' },
  },
  examples: [
    { run: 'drover retry task-12', what: 'Tries a failed task again.' },
    { run: 'drover retry task-12 --why "disk was full"', what: 'Notes the reason in the log.' },
  ],
  async run({ args: { task, why }, globals }) {
    const desk = await openDesk(globals);
    try {
      await desk.retry(task, why);
      if (globals.json) printJson({ retried: task, live: desk.live });
      else {
        print(`${task} is tried again.`);
        if (!desk.live) print(OFFLINE_NOTE);
      }
      return EXIT.done;
    } finally {
      await desk.close();
    }
  },
});
