/** `drover add`: adds tasks to a goal that is under way. */
import { readFlow } from '../../plan/flow-file.js';
import { problemLines } from '../../plan/problems.js';
import { ask, WHY } from '../asking.js';
import { parsePairs } from '../arguments.js';
import { defineDroverCommand } from '../command.js';
import { remark } from '../output.js';

export const addCommand = defineDroverCommand({
  name: 'add',
  description: 'Add the tasks of a flow file to a goal that is under way',
  args: {
    goal: { type: 'positional', description: 'Goal such as goal-7' },
    flow: { type: 'positional', description: 'Flow file in YAML' },
    after: {
      type: 'string',
      valueHint: 'TASK',
      description:
        'Task of the goal, by id or name, that those of the added ones need which need nothing else; may be given several times',
    },
    param: {
      type: 'string',
      valueHint: 'NAME=VALUE',
      description: 'Value of a parameter of the flow; may be given several times',
    },
    key: {
      type: 'string',
      valueHint: 'KEY',
      description: 'Added once, however often the line is run',
    },
    why: WHY,
  },
  examples: [
    {
      run: 'drover add goal-7 more.yaml',
      what: 'Adds its tasks; their needs may name tasks of the goal, by id or name.',
    },
    { run: 'drover add goal-7 more.yaml --after task-12', what: 'Lets them wait for a task.' },
  ],
  async run({ args: { goal, flow: path, key, why }, globals, all }) {
    const parameters = parsePairs('param', all('param'));
    const { flow, warnings } = await readFlow(path, { parameters, isAddition: true });
    for (const warning of problemLines(warnings)) remark(`warning: ${warning}`);
    const after = all('after');
    const tasks = flow.tasks.map((task) =>
      task.needs.length === 0 ? { ...task, needs: [...after] } : task,
    );
    return ask(globals, async (desk) => {
      const added = await desk.addTasks(goal, tasks, {
        ...(key !== undefined && { key }),
        ...(why !== undefined && { why }),
      });
      const names = Object.entries(added).map(([name, id]) => `${id} ${name}`);
      return [{ goal, added }, `${goal} has ${names.length} more: ${names.join(', ')}.`];
    });
  },
});
