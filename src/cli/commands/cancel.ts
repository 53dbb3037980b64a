/** `drover cancel`: gives a goal or a task up. */
import { someOf } from '../../core/alike.js';
import { DroverError } from '../../core/errors.js';
import { isGoalId, isTaskId } from '../../core/ids.js';
import { ask, WHY } from '../asking.js';
import { defineDroverCommand } from '../command.js';

export const cancelCommand = defineDroverCommand({
  name: 'cancel',
  description: 'Give a goal or a task up: what runs is stopped, the rest never starts',
  args: {
    id: { type: 'positional', description: 'Goal or task such as goal-7 or task-12' },
    only: {
      type: 'boolean',
      description: 'The task alone: what builds on it stays, and is blocked by it',
    },
    skip: { type: 'boolean', description: 'With --only: what builds on it goes on without it' },
    why: WHY,
  },
  examples: [
    { run: 'drover cancel goal-7', what: 'Cancels a goal.' },
    { run: 'drover cancel task-12', what: 'Cancels a task and everything that builds on it.' },
    { run: 'drover cancel task-12 --only --skip', what: 'Lets what builds on it go on with null.' },
    { run: 'drover cancel goal-7 --why "no longer needed"', what: 'Notes the reason in the log.' },
  ],
  run({ args: { id, only, skip, why }, globals }) {
    if (!isGoalId(id) && !isTaskId(id)) {
      const remedy = 'Write an id such as goal-7 or task-123; `drover goals` lists them.';
      throw new DroverError('bad-input', `‘${id}’ is no goal and no task.`, remedy);
    }
    if ((only || skip) && isGoalId(id)) {
      throw new DroverError('bad-input', '--only and --skip are for tasks.', 'Name a task.');
    }
    if (skip && !only) {
      throw new DroverError('bad-input', '--skip needs --only.', 'Write --only --skip.');
    }
    const dependents = skip ? 'skip' : only ? 'block' : 'cancel';
    return ask(globals, async (desk) => {
      const tasks = await desk.cancel(id, why, { dependents });
      const others = tasks.filter((task) => task !== id);
      const along = others.length === 0 ? '' : `, and with it ${someOf(others)}`;
      // Their Redis may be one that nobody has named here.
      const until = desk.told ? '' : ' What agents run of it goes on until a supervisor runs.';
      return [
        { cancelled: id, ...(isTaskId(id) && { tasks }) },
        `${id} is cancelled${along}.${until}`,
      ];
    });
  },
});
