/** `drover inbox`: everything that waits for a person, the oldest first. */
import { Log } from '../../log/log.js';
import { landingAlone } from '../../engine/workspaces/looking.js';
import { unlandedGoals } from '../../projections/goal-queries.js';
import {
  byAge,
  inboxOf,
  type InboxItem,
  landingsOf,
  standstills,
} from '../../projections/inbox.js';
import { GoalReader } from '../../projections/goal-reader.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { toBeStarted } from '../missing-agents.js';
import { print, printJson } from '../output.js';
import { projectsOf } from '../projects.js';
import { runningSupervisor } from '../presence.js';
import { formatDuration } from '../render/duration.js';
import { cell, renderTable } from '../render/table.js';
import { agentsOffering, troublesNow } from '../queues-now.js';

export const inboxCommand = defineDroverCommand({
  name: 'inbox',
  description: 'List everything that waits for a person, the oldest first',
  args: {},
  examples: [
    {
      run: 'drover inbox',
      what: 'Shows approvals, goals to land, failed tasks, tasks that lack agents.',
    },
    { run: 'drover inbox --json', what: 'The same for programs.' },
  ],
  async run({ globals }) {
    using log = Log.read(globals.dataDir);
    const goals = new GoalReader(log.db).inState('OPEN', 'SETTLED');
    const pending = goals.flatMap((goal) =>
      [...goal.tasks.values()]
        .filter(({ state }) => state === 'PENDING')
        .map((task) => ({ goal, task })),
    );
    const wanted = new Set(pending.map(({ task }) => task.spec.capability));
    const supervisor = runningSupervisor(globals.dataDir);
    const [agents, troubles] = await Promise.all([
      agentsOffering(wanted, supervisor, globals),
      troublesNow(supervisor, globals),
    ]);
    const nobody = agents && [...wanted].filter((capability) => agents.get(capability) === 0);
    const toStart = toBeStarted(wanted, nobody ?? null, supervisor !== undefined);
    const lacking = pending
      .filter(({ task }) => toStart.includes(task.spec.capability))
      .map(({ goal, task }): InboxItem => ({
        kind: 'no-agent',
        id: task.spec.id,
        goal: goal.id,
        project: goal.project,
        title: task.spec.title ?? task.spec.name,
        reason: nobody
          ? `nobody offers ${task.spec.capability}`
          : `\`drover up\` does not offer ${task.spec.capability} by itself`,
        since: task.queuedAt,
        deadline: null,
      }));
    const finished = unlandedGoals(log.db);
    const alone = await landingAlone(
      projectsOf(globals),
      finished.map(({ project }) => project),
    );
    const landings = landingsOf(finished, (project) => alone.has(project));
    const standing = standstills(troubles);
    const items = byAge([...inboxOf(goals), ...landings, ...lacking, ...standing]);
    if (globals.json) printJson({ items });
    else show(items);
    return EXIT.done;
  },
});

const ANSWERS: Readonly<Record<InboxItem['kind'], string>> = {
  approval: '`drover approve ID` or `drover reject ID --note TEXT`',
  landing: '`drover approve GOAL --dry-run` shows what it brings, `drover approve GOAL` lands it',
  failed: '`drover retry ID`, `drover skip ID` or `drover rerun ID`',
  hindered: 'put away what the reason names; it goes on by itself',
  supervisor: 'put away what the reason names; it goes on by itself',
  'no-agent': '`drover agent CAPABILITY`',
};

function show(items: readonly InboxItem[]): void {
  if (items.length === 0) {
    print('Nothing waits for a person.');
    return;
  }
  const now = Date.now();
  const rows = items.map(({ kind, id, goal, title, reason, since, deadline }) => [
    cell(kind, kind === 'failed' ? 'red' : 'yellow'),
    cell(id, 'bold'),
    cell(id === goal ? '' : goal, 'gray'),
    cell(since === null ? 'later' : formatDuration(now - since), 'gray'),
    cell(deadline === null ? '' : `${formatDuration(Math.max(0, deadline - now))} left`, 'yellow'),
    cell(`${title}: ${reason}`),
  ]);
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  for (const line of renderTable(rows, { width, wrap: true })) print(line);
  print('');
  const kinds = [...new Set(items.map((item) => item.kind))];
  const answers = kinds.map((kind) => [cell(`${kind}:`), cell(ANSWERS[kind])]);
  for (const line of renderTable(answers, { width, wrap: true })) print(line);
}
