/** `drover export`: a plan as a flow file. The log as a file is `drover log export`. */
import { counted } from '../../core/counted.js';
import { isGoalId, isTaskId } from '../../core/ids.js';
import { Log } from '../../log/log.js';
import { exportFlow, flowOfGoal } from '../../plan/export-flow.js';
import { type Flow, readFlow } from '../../plan/flow-file.js';
import { problemLines } from '../../plan/problems.js';
import { parsePairs } from '../arguments.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { FLOW_ARGS } from '../flow.js';
import type { Globals } from '../globals.js';
import { print, printJson, remark } from '../output.js';
import { readGoalView, resolveId } from '../reading.js';
import { writeText } from '../writing.js';

export const exportCommand = defineDroverCommand({
  name: 'export',
  description: 'Write the plan of a goal as a flow file (the whole log: `drover log export`)',
  args: {
    plan: {
      type: 'positional',
      description: 'Goal such as goal-7, or a flow file to be written out with its matrices',
    },
    out: {
      type: 'string',
      valueHint: 'FLOW.yaml',
      description: 'Flow file to write; standard output unless given',
    },
    param: FLOW_ARGS.param,
  },
  examples: [
    {
      run: 'drover export goal-7 --out flow.yaml',
      what: 'Writes the plan of a goal, to run it again.',
    },
    {
      run: 'drover export flow.yaml --param version=20',
      what: 'Prints a flow with its parameters put in and its matrices written out.',
    },
  ],
  async run({ args: { plan, out }, globals, all }) {
    const isId = isGoalId(plan) || isTaskId(plan);
    const flow = isId ? ofGoal(plan, globals) : await ofFile(plan, all('param'));
    const text = exportFlow(flow);
    if (out !== undefined) await writeText(out, text);
    if (globals.json)
      printJson({ plan, out: out ?? null, tasks: flow.tasks.length, ...(!out && { flow }) });
    else if (out === undefined) print(text.trimEnd());
    else print(`${out} has ${counted(flow.tasks.length, 'task')}; \`drover run ${out}\` runs it.`);
    return EXIT.done;
  },
});

function ofGoal(id: string, { dataDir }: Globals): Flow {
  using log = Log.read(dataDir);
  return flowOfGoal(readGoalView(log, resolveId(log, id).goal));
}

async function ofFile(path: string, params: readonly string[]): Promise<Flow> {
  const { flow, warnings } = await readFlow(path, { parameters: parsePairs('param', params) });
  for (const warning of problemLines(warnings)) remark(`warning: ${warning}`);
  return flow;
}
