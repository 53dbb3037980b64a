/** `drover rerun`: lets a task begin again, with everything that builds on it. */
import { counted } from '../../core/counted.js';
import { ask, WHY } from '../asking.js';
import { CHANGE_ARGS, readChanges } from '../changes.js';
import { defineDroverCommand } from '../command.js';

export const rerunCommand = defineDroverCommand({
  name: 'rerun',
  description: 'Run a task again, and everything that builds on it',
  args: {
    task: { type: 'positional', description: 'Task such as task-123' },
    ...CHANGE_ARGS,
    fork: {
      type: 'boolean',
      description: 'In a new goal, which shares what was finished or skipped before it',
    },
    'keep-steps': { type: 'boolean', description: 'Do not run finished steps again' },
    key: {
      type: 'string',
      valueHint: 'KEY',
      description: 'A second rerun of the task with the same key is the first one again',
    },
    why: WHY,
  },
  examples: [
    { run: 'drover rerun task-12', what: 'Runs it again in its goal.' },
    { run: 'drover rerun task-12 --with \'{"model": "large"}\'', what: 'With another input.' },
    { run: 'drover rerun task-12 --fork', what: 'Leaves its goal alone and makes another.' },
  ],
  run: ({ args, globals }) =>
    ask(globals, async (desk) => {
      const { task, fork, key, why } = args;
      const again = await desk.rerun(task, {
        changes: readChanges(args),
        fork,
        keepSteps: args['keep-steps'],
        ...(key !== undefined && { key }),
        ...(why !== undefined && { why }),
      });
      const where = fork ? `${again.goal}, as ${again.task}` : again.goal;
      return [again, `${task} begins again in ${where}: ${counted(again.tasks.length, 'task')}.`];
    }),
});
