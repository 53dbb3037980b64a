/** `drover schedule list`: what begins when, and what did not. */
import { Log } from '../../../log/log.js';
import { listSchedules } from '../../../projections/schedules.js';
import { defineDroverCommand } from '../../command.js';
import { EXIT } from '../../exit.js';
import { print, printJson } from '../../output.js';
import { formatDateTime } from '../../render/duration.js';
import { cell, renderTable } from '../../render/table.js';
import { oneLine } from '../../render/text.js';

export const listCommand = defineDroverCommand({
  name: 'list',
  description: 'List the schedules: when they begin, what they began, and what they did not',
  args: {},
  examples: [
    { run: 'drover schedule list', what: 'Shows every schedule with its next time.' },
    { run: 'drover schedule list --json', what: 'The same for programs.' },
  ],
  async run({ globals }) {
    using log = Log.read(globals.dataDir);
    const known = listSchedules(log.db);
    const { nextDue } =
      known.length === 0 ? { nextDue: () => undefined } : await import('../../../queues/cron.js');
    const now = Date.now();
    const schedules = known.map(({ request, ...schedule }) => ({
      ...schedule,
      title: typeof request['title'] === 'string' ? request['title'] : '',
      source: request['source'] ?? null,
      next: schedule.paused ? null : (nextDue(schedule, now) ?? null),
    }));
    if (globals.json) {
      printJson({ schedules });
      return EXIT.done;
    }
    if (schedules.length === 0) print('No schedules: `drover schedule add CRON FLOW.yaml`.');
    const rows = schedules.map(({ name, cron, tz, next, lastGoal, remark, title }) => [
      cell(name, 'bold'),
      cell(`"${cron}" ${tz}`),
      next === null ? cell('paused', 'yellow') : cell(formatDateTime(next)),
      cell(lastGoal ?? '-', 'gray'),
      remark === null ? cell(oneLine(title), 'gray') : cell(oneLine(remark), 'yellow'),
    ]);
    const width = process.stdout.isTTY ? process.stdout.columns : undefined;
    const heading = ['schedule', 'times', 'next', 'last', ''];
    if (rows.length > 0) for (const line of renderTable(rows, { width, heading })) print(line);
    return EXIT.done;
  },
});
