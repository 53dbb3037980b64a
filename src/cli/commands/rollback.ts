/** `drover rollback`: a goal's branch goes back, and what was merged since begins again. */
import { counted } from '../../core/counted.js';
import { ask, WHY } from '../asking.js';
import { defineDroverCommand } from '../command.js';

export const rollbackCommand = defineDroverCommand({
  name: 'rollback',
  description: "Move a goal's branch back; what was merged since begins again",
  args: {
    goal: { type: 'positional', description: 'Goal such as goal-7' },
    to: {
      type: 'string',
      required: true,
      valueHint: 'TASK|COMMIT',
      description: 'Task whose merge is the last one then, or a commit of its branch',
    },
    why: WHY,
  },
  examples: [
    {
      run: 'drover rollback goal-7 --to task-123 --why "wrong API"',
      what: 'What was merged after task-123 begins again; nothing is lost.',
    },
    {
      run: 'drover rollback goal-7 --to 1f2e3d4',
      what: '`drover graph goal-7` shows the commits.',
    },
  ],
  run: ({ args: { goal, to, why }, globals }) =>
    ask(globals, async (desk) => {
      const { commit, tasks } = await desk.rollback(goal, to, why);
      const count = counted(tasks.length, 'task begins', 'tasks begin');
      const text = `${goal} goes back to ${commit.slice(0, 12)}; ${count} again: ${tasks.join(', ')}.`;
      return [{ goal, commit, tasks }, text];
    }),
});
