/** `drover run`: a flow from its file to its end, with everything it needs. */
import type { GoalReport } from '../../projections/report.js';
import { defineDroverCommand } from '../command.js';
import { EXIT, type ExitCode, exitOfGoal } from '../exit.js';
import { FLOW_ARGS, readGoal } from '../flow.js';
import type { Globals } from '../globals.js';
import { untilLanded } from '../landing.js';
import { nextSteps } from '../next-steps.js';
import { print, printJson, remark } from '../output.js';
import { type Progress, showProgress } from '../progress.js';
import { readLog, readReport } from '../reading.js';
import { readRecovery, RECOVERY } from '../recovery.js';
import { renderReport } from '../render/goal-report.js';
import { openSession, type Session } from '../session.js';
import { closeInTwoSteps, DRAINING, type Stopping, stopInTwoSteps } from '../signals.js';

export const runFlowCommand = defineDroverCommand({
  name: 'run',
  description: 'Run a flow to its end, with everything it needs in this process',
  args: { ...FLOW_ARGS, recovery: RECOVERY },
  examples: [
    { run: 'drover run flows/hello.yaml', what: 'Runs the flow and shows its graph meanwhile.' },
    {
      run: 'drover run flows/hello.yaml --param greeting=Hi',
      what: 'Gives a parameter of the flow a value.',
    },
    {
      run: 'drover run flow.yaml --json > report.json',
      what: 'Writes the report as JSON; the exit status tells how it ended.',
    },
  ],
  async run({ args, globals, all }) {
    const recovery = readRecovery(args.recovery);
    const request = await readGoal(args, all('param'));
    using stopping = stopInTwoSteps();
    let open: Pick<Session, 'close'> | undefined;
    try {
      const session = await openSession(
        request,
        { ...globals, ...recovery },
        stopping.draining,
        (closable) => {
          open = closable;
        },
      );
      await followToEnd(session, globals, stopping);
      if (stopping.draining.aborted) remark(DRAINING);
      const drained = await closeInTwoSteps(session, stopping);
      open = undefined;
      // What was under way came to its end with the session: tasks that ran, and its landing.
      const report = readLog(globals, (log) => readReport(log, session.goal.id));
      return conclude(report, globals, stopping, drained);
    } finally {
      // Something failed on the way: nothing that was started may stay.
      if (open) await closeInTwoSteps(open, stopping);
    }
  },
});

async function followToEnd(session: Session, globals: Globals, stopping: Stopping): Promise<void> {
  const { goal, created, remarks } = session;
  if (!globals.json) {
    for (const line of remarks) print(line);
    if (!created) print(`${goal.id} has that key already; this waits for its end.`);
  }
  const progress = showProgress(goal, globals.json);
  try {
    await untilEnd(session, progress, stopping);
    await untilLanded(goal.id, globals, stopping.draining);
  } finally {
    progress.end();
  }
}

async function untilEnd(session: Session, progress: Progress, stopping: Stopping): Promise<void> {
  const { draining } = stopping;
  const events = session.goal.events()[Symbol.asyncIterator]();
  const told = new Promise<undefined>((resolve) => {
    if (draining.aborted) resolve(undefined);
    else draining.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  for (;;) {
    const next = await Promise.race([events.next(), told]);
    if (next === undefined || next.done) return;
    progress.show(next.value);
  }
}

function conclude(
  report: GoalReport,
  globals: Globals,
  { draining }: Stopping,
  drained: boolean,
): ExitCode {
  const interrupted = draining.aborted && report.state === 'OPEN';
  if (globals.json) {
    printJson({ ...report, interrupted });
  } else if (interrupted) {
    const how = drained ? 'What ran was let to its end' : 'What ran was ended';
    remark(`${how}; ${report.goal} goes on with the next \`drover up\`.`);
  } else {
    for (const line of ['', ...renderReport(report), '', ...nextSteps(report, globals)])
      print(line);
  }
  return interrupted ? EXIT.interrupted : exitOfGoal(report);
}
