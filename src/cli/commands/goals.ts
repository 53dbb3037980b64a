/** `drover goals`: the goals in the log. */
import { DroverError } from '../../core/errors.js';
import { GOAL_STATES, type GoalState } from '../../core/task-state.js';
import { Log } from '../../log/log.js';
import { listGoals } from '../../projections/goal-list.js';
import { wholeNumber } from '../arguments.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { print, printJson } from '../output.js';
import { formatDateTime, formatDuration } from '../render/duration.js';
import { cell, renderTable } from '../render/table.js';
import { oneLine } from '../render/text.js';

export const goalsCommand = defineDroverCommand({
  name: 'goals',
  description: 'List the goals in the log, newest first',
  args: {
    state: {
      type: 'string',
      valueHint: 'LIST',
      description: `Only goals in these states: ${GOAL_STATES.join(', ').toLowerCase()}`,
    },
    project: { type: 'string', valueHint: 'NAME', description: 'Only goals of this project' },
    limit: { type: 'string', valueHint: 'N', default: '50', description: 'The newest so many' },
  },
  examples: [
    { run: 'drover goals', what: 'Lists the newest goals.' },
    { run: 'drover goals --state open,settled', what: 'Lists those that are not finished.' },
    { run: 'drover goals --project shop --json', what: 'Lists those of a project, for programs.' },
  ],
  async run({ args, globals }) {
    const states = args.state === undefined ? undefined : parseStates(args.state);
    const limit = wholeNumber('limit', args.limit, [1, 1_000_000])!;
    const { project } = args;
    using log = Log.read(globals.dataDir);
    const filter = {
      limit,
      ...(states && { states }),
      ...(project !== undefined && { project }),
    };
    const goals = listGoals(log.db, filter);
    if (globals.json) {
      printJson({ goals });
      return EXIT.done;
    }
    if (goals.length === 0) {
      print('No goals.');
      return EXIT.done;
    }
    const now = Date.now();
    const rows = goals.map(({ id, project: of, title, state, text, createdAt, finishedAt }) => [
      cell(id, 'bold'),
      cell(of),
      cell(oneLine(title)),
      cell(text, STYLES[state]),
      cell(formatDateTime(createdAt), 'gray'),
      cell(formatDuration((finishedAt ?? now) - createdAt), 'gray'),
    ]);
    const heading = ['GOAL', 'PROJECT', 'TITLE', 'STATE', 'CREATED', 'TOOK'];
    const width = process.stdout.isTTY ? process.stdout.columns : undefined;
    for (const line of renderTable(rows, { heading, width })) print(line);
    return EXIT.done;
  },
});

const STYLES = { OPEN: 'cyan', SETTLED: 'red', DONE: 'green', CANCELLED: 'gray' } as const;

function parseStates(text: string): GoalState[] {
  return text.split(',').map((name) => {
    const state = GOAL_STATES.find((known) => known === name.trim().toUpperCase());
    if (state) return state;
    throw new DroverError(
      'bad-input',
      `‘${name}’ is no state of a goal.`,
      `Choose of ${GOAL_STATES.join(', ').toLowerCase()}.`,
    );
  });
}
