/** `drover diff`: what a task or a goal changed. */
import { goalDiff, taskDiff } from '../../engine/workspaces/looking.js';
import { Log } from '../../log/log.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { print, printJson, remark } from '../output.js';
import { goalsPlaceOf } from '../projects.js';
import { readGoalView, resolveId } from '../reading.js';
import { renderDiff, renderStat } from '../render/diff.js';

const OF = {
  merge: 'as it is merged',
  branch: 'as its claim has committed it, not merged yet',
  kept: 'as its last claim left it, not merged',
} as const;

export const diffCommand = defineDroverCommand({
  name: 'diff',
  description: 'Show what a task or a goal changed: merged, under way or left behind',
  args: {
    id: { type: 'positional', description: 'Task or goal such as task-123 or goal-7' },
    stat: { type: 'boolean', description: 'Only the files, with lines added and removed' },
  },
  examples: [
    { run: 'drover diff task-123', what: 'Shows what a task changed, as git shows it.' },
    { run: 'drover diff goal-7 --stat', what: 'Shows which files a goal changed.' },
  ],
  async run({ args: { id, stat }, globals }) {
    using log = Log.read(globals.dataDir);
    const { goal, task } = resolveId(log, id);
    const view = readGoalView(log, goal);
    const place = goalsPlaceOf(globals, log);
    const about = task === undefined ? undefined : await taskDiff(place, view, task);
    const diff = about ?? (await goalDiff(place, view));
    if (globals.json) {
      const { text, ...rest } = diff;
      printJson({ id, ...rest, ...(!stat && { text }) });
      return EXIT.done;
    }
    if (about) remark(`${id}, claim ${about.claim}, ${OF[about.of]}:`);
    if (diff.files.length === 0) remark(`${id} has changed no files.`);
    else if (stat) for (const line of renderStat(diff.files)) print(line);
    else print(renderDiff(diff));
    return EXIT.done;
  },
});
