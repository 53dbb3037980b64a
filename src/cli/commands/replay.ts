/** `drover replay`: the history of a goal or a task, and how it stood at any moment. */
import { replay } from '../../engine/history/replay.js';
import { Log } from '../../log/log.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { parseMoment } from '../moment.js';
import { print, printJson } from '../output.js';
import { resolveId } from '../reading.js';
import { renderReplay } from '../render/replay-report.js';

export const replayCommand = defineDroverCommand({
  name: 'replay',
  description: 'Tell the history of a goal or a task, up to any moment',
  args: {
    id: {
      type: 'positional',
      required: true,
      description: 'Goal or task such as goal-7 or task-123',
    },
    at: {
      type: 'string',
      valueHint: 'MOMENT',
      description:
        'Up to an event’s number, a time (ISO or epoch milliseconds), or so long ago (-5m)',
    },
  },
  examples: [
    {
      run: 'drover replay task-12',
      what: 'Tells a task’s history, with claims, steps and checks.',
    },
    { run: 'drover replay goal-7 --at 120', what: 'Shows the goal as it stood after event 120.' },
    { run: 'drover replay goal-7 --at=-5m', what: 'Shows the goal as it stood five minutes ago.' },
    { run: 'drover replay goal-7 --json', what: 'The same for programs.' },
  ],
  async run({ args, globals }) {
    const at = args.at === undefined ? undefined : parseMoment(args.at, Date.now());
    using log = Log.read(globals.dataDir);
    const told = replay(log, { ...resolveId(log, args.id), at });
    if (globals.json) printJson(told);
    else {
      const width = process.stdout.isTTY ? process.stdout.columns : undefined;
      for (const line of renderReplay(told, width)) print(line);
    }
    return EXIT.done;
  },
});
