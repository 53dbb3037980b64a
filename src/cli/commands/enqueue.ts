/** `drover enqueue`: hands a goal to the supervisor, or into the log for the next one. */
import { DroverError } from '../../core/errors.js';
import { logFile } from '../../log/database.js';
import { Log } from '../../log/log.js';
import type { GoalReport } from '../../projections/report.js';
import { existsSync } from 'node:fs';
import { announce } from '../announcing.js';
import { defineDroverCommand } from '../command.js';
import { openDesk } from '../desk.js';
import { EXIT, type ExitCode, exitOfGoal } from '../exit.js';
import { FLOW_ARGS, readGoal } from '../flow.js';
import type { Globals } from '../globals.js';
import { untilLanded } from '../landing.js';
import { nextSteps } from '../next-steps.js';
import { print, printJson, remark } from '../output.js';
import { runningSupervisor, supervisorWatch } from '../presence.js';
import { showProgress } from '../progress.js';
import { watchGoal } from '../reading.js';
import { renderReport } from '../render/goal-report.js';
import { stopInTwoSteps } from '../signals.js';

export const enqueueCommand = defineDroverCommand({
  name: 'enqueue',
  description: 'Hand a goal to the supervisor; without one, record it for the next',
  args: {
    ...FLOW_ARGS,
    wait: {
      type: 'boolean',
      description: 'Show its progress and exit with its outcome; Ctrl-C only stops the waiting',
    },
  },
  examples: [
    { run: 'drover enqueue flow.yaml', what: 'Hands the flow over and returns.' },
    {
      run: 'drover enqueue flow.yaml --wait',
      what: 'Waits for the end; the exit status tells it.',
    },
    {
      run: 'drover enqueue nightly.yaml --key nightly-2026-03-01',
      what: 'Enqueues it once, however often the line is run.',
    },
  ],
  async run({ args, globals, all }) {
    const request = await readGoal(args, all('param'));
    if (args.wait) requireWatchable(globals);
    const desk = await openDesk(globals);
    try {
      const enqueued = await desk.enqueue(request);
      if (args.wait) {
        if (!globals.json) announce(enqueued, request, desk);
        return await waitFor(enqueued.goal, globals);
      }
      if (globals.json) printJson({ ...enqueued, live: desk.live });
      else announce(enqueued, request, desk);
      return EXIT.done;
    } finally {
      await desk.close();
    }
  },
});

/** A goal can only be watched in the log of a supervisor that runs. */
function requireWatchable({ dataDir }: Globals): void {
  if (runningSupervisor(dataDir) && existsSync(logFile(dataDir))) return;
  throw new DroverError(
    'no-supervisor',
    `--wait needs the log of a running supervisor, and none runs on ${dataDir}.`,
    'Use `drover run`, start one with `drover up`, or leave --wait out.',
  );
}

async function waitFor(id: string, globals: Globals): Promise<ExitCode> {
  using stopping = stopInTwoSteps();
  using log = Log.read(globals.dataDir);
  const goal = watchGoal(log, id, stopping.draining, supervisorWatch(globals.dataDir));
  const progress = showProgress(goal, globals.json);
  try {
    for await (const event of goal.events()) progress.show(event);
    await untilLanded(id, globals, stopping.draining);
  } finally {
    progress.end();
  }
  return conclude(goal.report(), globals);
}

function conclude(report: GoalReport, globals: Globals): ExitCode {
  const { state, goal } = report;
  if (globals.json) printJson(report);
  else if (state === 'OPEN')
    remark(`No longer waiting; ${goal} goes on. See \`drover status ${goal}\`.`);
  else
    for (const line of ['', ...renderReport(report), '', ...nextSteps(report, globals)])
      print(line);
  return exitOfGoal(report);
}
