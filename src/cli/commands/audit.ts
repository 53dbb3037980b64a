/** `drover audit`: whether the log, its projections, BullMQ, STATE.yaml and git tell the same. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '../../config.js';
import { counted } from '../../core/counted.js';
import { DroverError } from '../../core/errors.js';
import { isName } from '../../core/ids.js';
import { audit, type AuditReport } from '../../engine/audit/audit.js';
import type { Disagreement, Witness } from '../../engine/audit/disagreement.js';
import { Projects } from '../../engine/workspaces/projects.js';
import { Log } from '../../log/log.js';
import { STATE_FILE } from '../../projections/state-file.js';
import { asideDirOf } from '../../workspace/project.js';
import { registrationFile } from '../../workspace/registration.js';
import { connect, type Connection } from '../../queues/connection.js';
import { redisSocketOf } from '../../queues/redis-process.js';
import { wholeNumber } from '../arguments.js';
import { defineDroverCommand } from '../command.js';
import { EXIT, type ExitCode } from '../exit.js';
import type { Globals } from '../globals.js';
import { print, printJson, remark } from '../output.js';
import { requireReachable, type RunningSupervisor, runningSupervisor } from '../presence.js';
import { foldedNotes } from '../render/notes.js';
import { paint } from '../render/paint.js';
import { oneLine, truncate } from '../render/text.js';

/** Longest value that is printed, columns. */
const VALUE_WIDTH = 60;

const NAMES: Readonly<Record<Witness, string>> = {
  log: 'log',
  projection: 'projection',
  redis: 'BullMQ',
  state: STATE_FILE,
  git: 'git',
};

export const auditCommand = defineDroverCommand({
  name: 'audit',
  description:
    'Compare the log, its projections, BullMQ’s jobs, STATE.yaml and the goals’ branches',
  args: {
    wait: {
      type: 'string',
      valueHint: 'MS',
      description: 'Milliseconds that what runs gets to agree; 2000 unless given',
    },
  },
  examples: [
    {
      run: 'drover audit',
      what: 'Prints every disagreement; the exit status is 6 where there is one, 7 where BullMQ could not be asked about open goals.',
    },
    { run: 'drover audit --json | jq .disagreements', what: 'The same for programs.' },
  ],
  async run({ args, globals }) {
    const patience = wholeNumber('wait', args.wait, [0, 3_600_000]);
    using log = Log.read(globals.dataDir);
    const supervisor = runningSupervisor(globals.dataDir);
    const connection = await reach(supervisor, globals);
    try {
      const prefix = supervisor?.presence?.prefix ?? globals.prefix;
      const report = await audit({
        log,
        redis: connection && { client: connection.client, prefix },
        readState: (project) => readState(globals, project),
        projects: new Projects({
          projectsDir: globals.projectsDir,
          dataDir: globals.dataDir,
          environment: readConfig().environment,
        }),
        running: supervisor !== undefined,
        patience,
      });
      show(report, globals);
      return exitOf(report);
    } finally {
      await connection?.close();
    }
  },
});

function exitOf({ agrees, heard, checked }: AuditReport): ExitCode {
  if (!agrees) return EXIT.disagreement;
  // After a run Drover's own Redis has ended, and had nothing left to do for goals that are over.
  return heard.includes('redis') || checked.open === 0 ? EXIT.done : EXIT.unheard;
}

/** The Redis that the log is used with; undefined where it is one of Drover's own that does not run. */
async function reach(
  supervisor: RunningSupervisor | undefined,
  { redis, dataDir }: Globals,
): Promise<Connection | undefined> {
  if (supervisor) requireReachable(supervisor, redis);
  if (redis !== undefined) return connect(redis);
  try {
    return await connect({ path: redisSocketOf(dataDir) });
  } catch (error) {
    if (supervisor || !(error instanceof DroverError)) throw error;
    remark('BullMQ was not heard: no Redis of this data directory runs.');
    return undefined;
  }
}

function readState({ projectsDir, dataDir }: Globals, project: string): string | undefined {
  // A log from elsewhere may hold any name; none of them is a path.
  if (!isName(project)) return undefined;
  const isRegistered = existsSync(registrationFile(projectsDir, project));
  const parent = isRegistered ? asideDirOf(dataDir) : projectsDir;
  try {
    return readFileSync(join(parent, project, STATE_FILE), 'utf8');
  } catch {
    return undefined;
  }
}

function show(report: AuditReport, { json }: Globals): void {
  if (json) {
    printJson(report);
    return;
  }
  for (const one of report.disagreements) for (const line of explain(one)) print(line);
  for (const note of foldedNotes(report.notes))
    print(`${paint('yellow', 'note')}  ${oneLine(note)}`);
  const { events, goals, tasks, jobs, projects } = report.checked;
  const looked = [
    counted(events, 'event'),
    counted(goals, 'goal'),
    counted(tasks, 'task'),
    counted(jobs, 'job'),
    counted(projects, 'project'),
  ].join(', ');
  const count = report.disagreements.length;
  print(
    report.agrees
      ? `${paint('green', report.heard.includes('redis') ? 'All agree:' : 'All that were heard agree:')} ${looked}.`
      : `${paint('red', counted(count, 'disagreement'))} in ${looked}.`,
  );
}

function explain({ goal, task, field, values, explanation }: Disagreement): string[] {
  const where = [goal, task].filter((id) => id !== null).join(' ') || 'log';
  const said = Object.entries(values).map(
    ([witness, value]) =>
      `${NAMES[witness as Witness]}: ${truncate(oneLine(JSON.stringify(value)), VALUE_WIDTH)}`,
  );
  return [
    `${paint('red', where)}  ${field}  ${paint('gray', said.join('  '))}`,
    `  ${oneLine(explanation)}`,
  ];
}
