/** `drover schedule add`: a flow that is to begin again and again. */
import { basename } from 'node:path';
import { DroverError } from '../../../core/errors.js';
import { isName, NAME_RULE } from '../../../core/ids.js';
import { CATCH_UPS, OVERLAPS } from '../../../core/schedule-events.js';
import { nearest } from '../../../plan/suggest.js';
import { defineDroverCommand } from '../../command.js';
import { openDesk } from '../../desk.js';
import { EXIT } from '../../exit.js';
import { FLOW_ARGS, readGoal } from '../../flow.js';
import { print, printJson } from '../../output.js';
import { formatDateTime } from '../../render/duration.js';

const { flow, param, project, priority } = FLOW_ARGS;

export const addCommand = defineDroverCommand({
  name: 'add',
  description: 'Have a flow begin at given times; its plan is kept as it is now',
  args: {
    cron: {
      type: 'positional',
      description: 'When, in quotes: minute, hour, day, month, weekday; or @daily and the like',
    },
    flow,
    tz: {
      type: 'string',
      valueHint: 'ZONE',
      description: "Time zone such as Europe/Berlin; this machine's unless given",
    },
    name: {
      type: 'string',
      valueHint: 'NAME',
      description: "Name of the schedule; the file's unless given",
    },
    overlap: {
      type: 'string',
      valueHint: OVERLAPS.join('|'),
      default: 'skip',
      description: 'While the goal before is open: leave out, wait for its end, or cancel it',
    },
    'catch-up': {
      type: 'string',
      valueHint: CATCH_UPS.join('|'),
      default: 'once',
      description:
        'What was missed by more than a minute: let it be, make up for the last, or for all',
    },
    replace: { type: 'boolean', description: 'Take the place of the schedule with that name' },
    param,
    project,
    priority,
  },
  examples: [
    {
      run: 'drover schedule add "0 2 * * *" flows/nightly.yaml --tz Europe/Berlin',
      what: 'Runs a flow every night at two.',
    },
    {
      run: 'drover schedule add "*/15 9-17 * * MON-FRI" check.yaml --overlap cancel --catch-up none',
      what: 'Every quarter of an hour at work; a run that is late makes room for the next.',
    },
    {
      run: 'drover schedule add @hourly sync.yaml --param target=web --replace',
      what: 'Takes a changed flow file over.',
    },
  ],
  async run({ args, globals, all }) {
    const name = args.name ?? nameOf(args.flow);
    const overlap = choice('overlap', args.overlap, OVERLAPS);
    const catchUp = choice('catch-up', args['catch-up'], CATCH_UPS);
    const goal = await readGoal({ ...args, key: undefined }, all('param'));
    const tz = args.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    const { checkCron, nextDue } = await import('../../../queues/cron.js');
    const times = { cron: args.cron, tz };
    checkCron(times, Date.now());
    const desk = await openDesk(globals);
    try {
      await desk.schedules.add({ name, ...times, overlap, catchUp, goal, replace: args.replace });
      const next = nextDue(times, Date.now())!;
      if (globals.json) {
        printJson({ schedule: name, ...times, overlap, catchUp, next, live: desk.live });
      } else {
        print(
          `${name} begins "${args.cron}" in ${tz}; the next time is ${formatDateTime(next)} here.`,
        );
        if (catchUp === 'all' && overlap !== 'queue') print(CATCHING_UP[overlap]);
        if (!desk.live) print('No supervisor runs on this data directory: `drover up` starts one.');
      }
      return EXIT.done;
    } finally {
      await desk.close();
    }
  },
});

/** Missed times are due all at once, so the rule for what is still open is kept for them as well. */
const CATCHING_UP = {
  skip: 'Of times that were missed only those begin that find no goal open; with --overlap queue all do.',
  cancel: 'Each time that was missed cancels the one before it; with --overlap queue all run.',
} as const;

function nameOf(file: string): string {
  const name = basename(file).replace(/\.[^.]*$/, '');
  if (isName(name)) return name;
  throw new DroverError(
    'bad-input',
    `‘${name}’ is no name for a schedule: it must be ${NAME_RULE}.`,
    'Give it one with --name.',
  );
}

function choice<const T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((value) => value === text);
  if (found) return found;
  const likely = nearest(text, known);
  throw new DroverError(
    'bad-input',
    `--${option} cannot be ‘${text}’.`,
    likely ? `Did you mean ${likely}?` : `Choose one of ${known.join(', ')}.`,
  );
}
