/** `drover cancel`: gives a goal up. */
import { defineDroverCommand } from '../command.js';
import { openDesk } from '../desk.js';
import { EXIT } from '../exit.js';
import { print, printJson } from '../output.js';

export const cancelCommand = defineDroverCommand({
  name: 'cancel',
  description: 'Give a goal up: running tasks are stopped, the others never start',
  args: {
    goal: { type: 'positional', description: 'Goal such as goal-7' },
    why: { type: 'string', valueHint: 'TEXT', description: 'Reason, for the log' },
  },
  examples: [
    { run: 'drover cancel goal-7', what: 'Cancels a goal.' },
    { run: 'drover cancel goal-7 --why "no longer needed"', what: 'Notes the reason in the log.' },
  ],
  async run({ args: { goal, why }, globals }) {
    const desk = await openDesk(globals);
    try {
      await desk.cancel(goal, why);
      if (globals.json) printJson({ cancelled: goal, live: desk.live });
      else print(`${goal} is cancelled.`);
      return EXIT.done;
    } finally {
      await desk.close();
    }
  },
});
