/** `drover status`: a goal task by task, or what runs and what waits for a person. */
import { Log } from '../../log/log.js';
import { listGoals } from '../../projections/goal-list.js';
import type { GoalView } from '../../core/goal.js';
import { isFinal } from '../../core/task-state.js';
import { agentsOf, aroundOf, type QueuesNow } from '../../projections/around.js';
import { Durations, type Kind, type Learned } from '../../projections/durations.js';
import { type Estimate, estimate } from '../../projections/estimate.js';
import { inboxOf, type Standstill } from '../../projections/inbox.js';
import { type GoalReport, reportOf } from '../../projections/report.js';
import { readLimits } from '../../projections/limits.js';
import { listPauses, type Pause } from '../../projections/pauses.js';
import { listSchedules } from '../../projections/schedules.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import type { Globals } from '../globals.js';
import { missingAgents, toBeStarted } from '../missing-agents.js';
import { print, printJson } from '../output.js';
import { type RunningSupervisor, runningSupervisor } from '../presence.js';
import { readGoalView, resolveId } from '../reading.js';
import { formatDuration } from '../render/duration.js';
import { briefEstimate, estimateLine } from '../render/estimate.js';
import { isReached } from '../render/goal-report.js';
import { renderGraph } from '../render/graph.js';
import { paint } from '../render/paint.js';
import { namesOf, waitWords } from '../render/task-row.js';
import { cell, renderTable } from '../render/table.js';
import { oneLine } from '../render/text.js';
import { queuesNow, troublesNow } from '../queues-now.js';

/** Finished goals that the overview still names. */
const RECENT = 5;
/** Tasks at gates that the overview names. */
const WAITING = 20;

export const statusCommand = defineDroverCommand({
  name: 'status',
  description: 'Show a goal task by task, or what runs and what waits for a person',
  args: {
    goal: {
      type: 'positional',
      required: false,
      description:
        'Goal such as goal-7, or one of its tasks; all that are not finished unless given',
    },
  },
  examples: [
    { run: 'drover status', what: 'Shows the supervisor, open goals and failed tasks.' },
    { run: 'drover status goal-7', what: 'Shows every task of a goal.' },
    { run: 'drover status goal-7 --json', what: 'The same for programs.' },
  ],
  async run({ args, globals }) {
    using log = Log.read(globals.dataDir);
    const supervisor = runningSupervisor(globals.dataDir);
    if (args.goal === undefined) await showOverview(log, supervisor, globals);
    else {
      const { goal } = resolveId(log, args.goal);
      await showGoal(log, readGoalView(log, goal), supervisor, globals);
    }
    return EXIT.done;
  },
});

async function showGoal(
  log: Log,
  goal: GoalView,
  supervisor: RunningSupervisor | undefined,
  globals: Globals,
): Promise<void> {
  const pauses = listPauses(log.db).filter(
    ({ kind, name }) =>
      (kind === 'project' && name === goal.project) ||
      (kind === 'capability' && needsCapability(goal, name)),
  );
  const [queues, troubles] = await Promise.all([
    queuesFor([goal], supervisor, globals),
    troublesNow(supervisor, globals),
  ]);
  const agents = agentsOf(queues);
  const report = reportOf(goal, pauses, aroundOf(log, pauses, queues));
  const wanted = pendingCapabilities([report]);
  const waitingFor = absent(wanted, agents);
  const estimated = estimatorFor(log, agents, pauses, supervisor !== undefined)(goal);
  if (globals.json) {
    const answer = { ...report, estimate: estimated, supervisor: supervisorJson(supervisor) };
    printJson({ ...answer, waitingFor, pauses, troubles });
    return;
  }
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  for (const line of renderGraph(report, Date.now(), { width })) print(line);
  showTroubles(troubles);
  if (report.state !== 'OPEN') return;
  showPauses(pauses);
  print(paint('gray', estimateLine(estimated)));
  if (!supervisor) {
    print(paint('yellow', 'It stands still: no supervisor runs. `drover up` lets it go on.'));
  }
  showMissing(wanted, waitingFor, supervisor !== undefined);
}

async function showOverview(
  log: Log,
  supervisor: RunningSupervisor | undefined,
  globals: Globals,
): Promise<void> {
  const unfinished = listGoals(log.db, { states: ['OPEN', 'SETTLED'] }).toReversed();
  const views = unfinished.map(({ id }) => readGoalView(log, id));
  const pauses = listPauses(log.db);
  const [queues, troubles] = await Promise.all([
    queuesFor(views, supervisor, globals),
    troublesNow(supervisor, globals),
  ]);
  const agents = agentsOf(queues);
  const around = aroundOf(log, pauses, queues);
  const reports = views.map((view) => reportOf(view, pauses, around));
  const recent = listGoals(log.db, { states: ['DONE', 'CANCELLED'], limit: RECENT });
  const wanted = pendingCapabilities(reports);
  const waitingFor = absent(wanted, agents);
  const estimateOf = estimatorFor(log, agents, pauses, supervisor !== undefined);
  const estimates = new Map(views.map((view) => [view.id, estimateOf(view)]));
  const schedules = listSchedules(log.db).map(({ name, paused, lastGoal, remark }) => ({
    name,
    paused,
    lastGoal,
    remark,
  }));
  // The same ones that the inbox lists.
  const failed = inboxOf(views).filter(({ kind }) => kind === 'failed');
  const asked = new Set(failed.map(({ id }) => id));
  const attention = reports.flatMap((report) =>
    report.tasks
      .filter(({ id }) => asked.has(id))
      .map(({ id, name, state, error, finishedAt }) => ({
        goal: report.goal,
        task: id,
        name,
        reason: state === 'CANCELLED' ? 'is cancelled, and others wait for it' : error,
        since: finishedAt,
      })),
  );
  if (globals.json) {
    const goals = reports.map(({ tasks: _tasks, ...goal }) => ({
      ...goal,
      estimate: estimates.get(goal.goal),
    }));
    const about = { supervisor: supervisorJson(supervisor), goals, recent, schedules };
    const waiting = reports.flatMap((report) =>
      report.tasks
        .filter(isReached)
        .map(({ id, name, gates }) => ({ goal: report.goal, task: id, name, gates })),
    );
    printJson({ ...about, attention, waitingFor, waiting, pauses, troubles });
    return;
  }
  print(supervisorLine(supervisor, globals));
  showTroubles(troubles);
  showMissing(wanted, waitingFor, supervisor !== undefined);
  const now = Date.now();
  const rows = [
    ...reports.map(({ goal, title, text, createdAt }) => [
      cell(goal, 'bold'),
      cell(oneLine(title)),
      cell(text),
      cell(formatDuration(now - createdAt), 'gray'),
      cell(briefEstimate(estimates.get(goal)!), 'gray'),
    ]),
    ...recent.map(({ id, title, text, finishedAt }) => [
      cell(id, 'gray'),
      cell(oneLine(title), 'gray'),
      cell(text, 'gray'),
      cell(`${formatDuration(now - (finishedAt ?? now))} ago`, 'gray'),
    ]),
  ];
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  print(rows.length === 0 ? 'No goals yet: `drover run FLOW.yaml`.' : '');
  for (const line of renderTable(rows, { width })) print(line);
  for (const { name, remark } of schedules) {
    if (remark !== null) print(paint('yellow', `Schedule ${name}: ${oneLine(remark)}`));
  }
  showPauses(pauses);
  showWaiting(reports);
  if (attention.length === 0) return;
  print();
  print(paint('red', 'Waits for a person:'));
  for (const { goal, task, name, reason, since } of attention) {
    const age = since === null ? '' : ` (${formatDuration(now - since)} ago)`;
    print(
      `  ✗ ${goal} ${task} ${oneLine(name)}${age}: ${oneLine(reason ?? 'no reason was given')}`,
    );
  }
  print(
    paint(
      'gray',
      '  `drover inbox` lists it, with how to answer; `drover retry TASK` tries one again.',
    ),
  );
}

function showTroubles(troubles: readonly Standstill[]): void {
  for (const { reason, since } of troubles) {
    const time = since === null ? '' : ` (for ${formatDuration(Date.now() - since)})`;
    print(paint('red', `${oneLine(reason)}${time}`));
  }
}

/** Goals say so themselves. */
function showPauses(pauses: readonly Pause[]): void {
  for (const { kind, name, time, why } of pauses) {
    const since = formatDuration(Date.now() - time);
    const reason = why === null ? '' : `: ${oneLine(why)}`;
    const hint = `\`drover resume --${kind} ${name}\` lets it go on.`;
    print(paint('yellow', `The ${kind} ${name} has been paused for ${since}${reason}. ${hint}`));
  }
}

/** What nothing keeps but a person, a signal or a time. */
function showWaiting(reports: readonly GoalReport[]): void {
  const lines = reports.flatMap((report) => {
    const nameOf = namesOf(report);
    return report.tasks
      .filter(isReached)
      .map(
        (task) =>
          `  ◷ ${report.goal} ${task.id} ${oneLine(task.name)}: waits ${waitWords(task, nameOf)}`,
      );
  });
  if (lines.length === 0) return;
  print();
  for (const line of lines.slice(0, WAITING)) print(line);
  if (lines.length > WAITING) print(`  … and ${lines.length - WAITING} more`);
}

const needsCapability = (goal: GoalView, capability: string): boolean =>
  [...goal.tasks.values()].some(
    ({ spec, state }) => spec.capability === capability && !isFinal(state),
  );

function supervisorLine(supervisor: RunningSupervisor | undefined, { dataDir }: Globals): string {
  if (!supervisor) return `No supervisor runs on ${dataDir}; \`drover up\` starts one.`;
  const { holder, presence } = supervisor;
  const board = presence?.url ? `; Bull Board: ${presence.url}/queues` : '';
  return `Supervisor: process ${holder.pid} on ${holder.host}, since ${holder.since}${board}`;
}

function showMissing(
  wanted: readonly string[],
  waitingFor: readonly string[] | null,
  supervised: boolean,
): void {
  const missing = missingAgents(toBeStarted(wanted, waitingFor, supervised), supervised);
  if (missing !== undefined) print(paint('yellow', missing));
}

const supervisorJson = (supervisor: RunningSupervisor | undefined): object | null =>
  supervisor ? { ...supervisor.holder, url: supervisor.presence?.url ?? null } : null;

/** The queues of what is not done yet; undefined where that cannot be asked. */
async function queuesFor(
  goals: readonly GoalView[],
  supervisor: RunningSupervisor | undefined,
  globals: Globals,
): Promise<QueuesNow> {
  const wanted = new Set<string>();
  for (const { tasks } of goals) {
    for (const { state, spec } of tasks.values()) if (!isFinal(state)) wanted.add(spec.capability);
  }
  return await queuesNow(wanted, supervisor, globals);
}

/** Of tasks that nothing keeps but agents, limits and pauses. */
function pendingCapabilities(reports: readonly GoalReport[]): string[] {
  const pending = reports.flatMap(({ tasks }) => tasks.filter(({ state }) => state === 'PENDING'));
  return [...new Set(pending.map(({ capability }) => capability))];
}

/** Those of them that nobody offers; null where that could not be asked. */
function absent(
  wanted: readonly string[],
  agents: ReadonlyMap<string, number> | undefined,
): string[] | null {
  if (!agents) return wanted.length > 0 ? null : [];
  return wanted.filter((capability) => agents.get(capability) === 0);
}

function estimatorFor(
  log: Log,
  agents: ReadonlyMap<string, number> | undefined,
  pauses: readonly Pause[],
  supervised: boolean,
): (goal: GoalView) => Estimate {
  const durations = new Durations(log.db);
  const limits = readLimits(log);
  const learned = (kind: Kind): Learned | undefined => durations.learned(kind);
  return (goal) => estimate(goal, { learned, agents, pauses, limits, supervised, now: Date.now() });
}
