/** `drover logs`: events of the log, past and coming. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LoggedEvent } from '../../core/events.js';
import { Moves } from '../../engine/history/goal-fold.js';
import { Log } from '../../log/log.js';
import { wholeNumber } from '../arguments.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { outputGone, print, printJsonLine } from '../output.js';
import { eventsOf, followLog, resolveId, type Subject } from '../reading.js';
import { logLine } from '../render/event-line.js';

/** Events of the whole log that are shown unless more are asked for. */
const LATEST = 100;
/** Events printed before a reader that went away is noticed. */
const BURST = 500;

export const logsCommand = defineDroverCommand({
  name: 'logs',
  description: 'Show events of the log: all of them, or those of a goal or task',
  args: {
    id: {
      type: 'positional',
      required: false,
      description: 'Goal or task such as goal-7 or task-123; the whole log unless given',
    },
    follow: { type: 'boolean', alias: 'f', description: 'Go on with new events until Ctrl-C' },
    tail: {
      type: 'string',
      valueHint: 'N',
      description: `Only the latest so many; ${LATEST} of the whole log, all of a goal or task`,
    },
  },
  examples: [
    { run: 'drover logs task-12', what: 'Shows what happened to a task.' },
    { run: 'drover logs goal-7 --follow', what: 'Shows a goal as it goes on.' },
    { run: 'drover logs --tail 1000 --json | jq .event.type', what: 'JSON Lines, for programs.' },
  ],
  async run({ args, globals }) {
    const tail = wholeNumber('tail', args.tail, [0, 1_000_000]);
    using log = Log.read(globals.dataDir);
    const subject: Subject = args.id === undefined ? {} : resolveId(log, args.id);
    const moves = new Moves(log);
    const show = (event: LoggedEvent): void => {
      if (globals.json) printJsonLine(event);
      else print(logLine(event, moves.of(event)));
    };
    const latest = tail ?? (args.id === undefined ? LATEST : undefined);
    const seen = await showPast(log, subject, latest, show);
    if (!args.follow) return EXIT.done;
    for await (const event of followLog(log, subject, seen, outputGone)) show(event);
    return EXIT.done;
  },
});

/** @returns the sequence number behind which new events begin */
async function showPast(
  log: Log,
  subject: Subject,
  latest: number | undefined,
  show: (event: LoggedEvent) => void,
): Promise<number> {
  const end = log.lastSeq();
  const whole = subject.goal === undefined;
  // The whole log has no gaps, so its latest events need not be searched for.
  const after = whole && latest !== undefined ? Math.max(0, end - latest) : 0;
  const kept: LoggedEvent[] = [];
  let count = 0;
  for (const event of eventsOf(log, subject, { after, until: end })) {
    if (whole || latest === undefined) show(event);
    else {
      kept.push(event);
      if (kept.length > latest) kept.shift();
    }
    count += 1;
    if (count % BURST === 0) await nextTurn();
    if (outputGone.aborted) break;
  }
  for (const event of kept) show(event);
  return end;
}
