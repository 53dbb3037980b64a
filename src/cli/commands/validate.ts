/** `drover validate`: everything that is wrong with a flow file. */
import { counted } from '../../core/counted.js';
import { type ParsedFlow, readFlow } from '../../plan/flow-file.js';
import { FlowProblems, type Problem, problemLines } from '../../plan/problems.js';
import { parsePairs } from '../arguments.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { print, printJson } from '../output.js';
import { paint } from '../render/paint.js';
import { oneLine } from '../render/text.js';
import { parseCapabilities, USUAL_CAPABILITIES } from '../serving.js';

export const validateCommand = defineDroverCommand({
  name: 'validate',
  description: 'Name everything that is wrong with a flow file, with its place and a remedy',
  args: {
    flow: { type: 'positional', description: 'Flow file in YAML' },
    param: {
      type: 'string',
      valueHint: 'NAME=VALUE',
      description: 'Value of a parameter of the flow; may be given several times',
    },
    agents: {
      type: 'string',
      valueHint: 'LIST',
      default: USUAL_CAPABILITIES.join(','),
      description: 'Capabilities that agents have; others are worth a warning',
    },
  },
  examples: [
    { run: 'drover validate flow.yaml', what: 'Names every problem with file, line and column.' },
    { run: 'drover validate flow.yaml --json', what: 'The same for editors and CI.' },
    {
      run: 'drover validate flow.yaml --agents developer,writer',
      what: 'Warns of capabilities other than these.',
    },
  ],
  async run({ args, globals, all }) {
    const { problems, warnings, flow } = await examine(args.flow, {
      parameters: parsePairs('param', all('param')),
      knownCapabilities: parseCapabilities('agents', args.agents),
    });
    const valid = flow !== undefined;
    if (globals.json) {
      const { title, project, priority, tasks } = flow ?? {};
      const goal = flow && { title, project, priority, tasks: tasks?.length };
      printJson({ valid, file: args.flow, goal, problems, warnings });
      return valid ? EXIT.done : EXIT.badInput;
    }
    for (const line of problemLines(problems)) print(`${paint('red', 'error')}    ${line}`);
    for (const line of problemLines(warnings)) print(`${paint('yellow', 'warning')}  ${line}`);
    if (flow) {
      print(
        `${paint('green', 'valid')}    ${args.flow}: ‘${oneLine(flow.title)}’, ${counted(flow.tasks.length, 'task')}`,
      );
    }
    return valid ? EXIT.done : EXIT.badInput;
  },
});

async function examine(
  path: string,
  options: Parameters<typeof readFlow>[1],
): Promise<{
  problems: readonly Problem[];
  warnings: readonly Problem[];
  flow?: ParsedFlow['flow'];
}> {
  try {
    const { flow, warnings } = await readFlow(path, options);
    return { problems: [], warnings, flow };
  } catch (error) {
    // Whatever keeps the file from being read at all is no problem in it.
    if (!(error instanceof FlowProblems)) throw error;
    return { problems: error.problems, warnings: error.warnings };
  }
}
