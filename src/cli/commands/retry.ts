/** `drover retry`: gives a failed task all its attempts again. */
import { ask, WHY } from '../asking.js';
import { defineDroverCommand } from '../command.js';

export const retryCommand = defineDroverCommand({
  name: 'retry',
  description: 'Give a failed task all its attempts again; what it blocked goes on after it',
  args: {
    task: { type: 'positional', description: 'Task such as task-123' },
    'from-scratch': { type: 'boolean', description: 'Run its finished steps again as well' },
    why: WHY,
  },
  examples: [
    { run: 'drover retry task-12', what: 'Goes on after its last finished step.' },
    { run: 'drover retry task-12 --from-scratch', what: 'Forgets the steps it has finished.' },
    { run: 'drover retry task-12 --why "disk was full"', what: 'Notes the reason in the log.' },
  ],
  run: ({ args, globals }) =>
    ask(globals, async (desk) => {
      const { task, why } = args;
      const { asked } = await desk.retry(task, why, { fromScratch: args['from-scratch'] });
      const text =
        asked === null
          ? `${task} is tried again.`
          : `${task} was refused before it began, and is asked about again: \`drover approve ${asked}\`.`;
      return [{ retried: task, asked }, text];
    }),
});
