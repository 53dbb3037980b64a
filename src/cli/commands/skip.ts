/** `drover skip`: lets a goal go on without a task. */
import { ask, WHY } from '../asking.js';
import { defineDroverCommand } from '../command.js';

export const skipCommand = defineDroverCommand({
  name: 'skip',
  description: 'Let what builds on a failed or pending task go on without its result',
  args: { task: { type: 'positional', description: 'Task such as task-123' }, why: WHY },
  examples: [
    { run: 'drover skip task-12', what: 'Its dependents get null in place of its result.' },
    { run: 'drover skip task-12 --why "done by hand"', what: 'Notes the reason in the log.' },
  ],
  run: ({ args: { task, why }, globals }) =>
    ask(globals, async (desk) => {
      await desk.skip(task, why);
      return [{ skipped: task }, `${task} is skipped.`];
    }),
});
