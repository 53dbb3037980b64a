/** `drover graph`: a goal's branch, its merges, and what lies beside it. */
import { goalLine } from '../../engine/workspaces/looking.js';
import { Log } from '../../log/log.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { print, printJson } from '../output.js';
import { goalsPlaceOf } from '../projects.js';
import { readGoalView, resolveId } from '../reading.js';
import { renderGoalLine } from '../render/goal-line.js';

export const graphCommand = defineDroverCommand({
  name: 'graph',
  description: "Show a goal's branch: merges with their tasks, what was rolled back, what is kept",
  args: {
    goal: { type: 'positional', description: 'Goal such as goal-7, or one of its tasks' },
  },
  examples: [
    { run: 'drover graph goal-7', what: 'Shows its line of merges, the newest first.' },
    { run: 'drover graph goal-7 --json', what: 'The same for programs.' },
  ],
  async run({ args, globals }) {
    using log = Log.read(globals.dataDir);
    const view = readGoalView(log, resolveId(log, args.goal).goal);
    const line = await goalLine(goalsPlaceOf(globals, log), view);
    if (globals.json) {
      const { state, landed, landingTrouble, pushed } = view;
      printJson({ ...line, project: view.project, state, landed, landingTrouble, pushed });
      return EXIT.done;
    }
    const width = process.stdout.isTTY ? process.stdout.columns : undefined;
    for (const text of renderGoalLine(view, line, width)) print(text);
    return EXIT.done;
  },
});
