/** What to try after a goal has ended: only what is there is named. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { readConfig } from '../config.js';
import { shellWord } from '../core/shell-word.js';
import type { GoalReport } from '../projections/report.js';
import type { Globals } from './globals.js';
import { runningSupervisor } from './presence.js';
import { paint } from './render/paint.js';

export function nextSteps(report: GoalReport, globals: Globals): string[] {
  const { goal, project, state, tasks } = report;
  const { dataDir, projectsDir } = globals;
  const { data, projects, all } = repeated(globals);
  const program = programName();
  const failed = tasks.find((task) => task.state === 'FAILED');
  const folder = join(projectsDir, project);
  const steps: [string, string][] = [
    [`${program} status ${goal}${data}`, 'every task, with its times and attempts'],
    [`${program} replay ${goal}${data}`, 'the whole history, step by step'],
  ];
  if (report.branch) {
    steps.push([
      `${program} graph ${goal}${projects}`,
      'its branch: what was merged, and what was not',
    ]);
    steps.push([`${program} diff ${goal} --stat${projects}`, 'which files it changed']);
    if (state === 'DONE' && report.branch.landed === null)
      steps.push([`${program} inbox${data}`, 'what waits for a person']);
  }
  if (failed) {
    steps.push([`${program} replay ${failed.id}${data}`, 'what the failed task did']);
    steps.push([`${program} retry ${failed.id}${all}`, 'give it all its attempts again']);
  }
  const board = runningSupervisor(dataDir)?.presence?.url;
  if (board) steps.push([`${board}/queues`, 'the queues in Bull Board']);
  else
    steps.push([
      `${program} up${all}`,
      'a supervisor that stays, and Bull Board at localhost:4400',
    ]);
  const stateFile = join(folder, 'STATE.yaml');
  if (existsSync(stateFile))
    steps.push([`cat ${shown(stateFile)}`, 'the project as the log knows it']);
  if (existsSync(join(folder, '.git'))) {
    steps.push([`git -C ${shown(folder)} log --oneline --graph`, 'what was merged and landed']);
  }
  const width = Math.max(...steps.map(([command]) => command.length));
  const heading = state === 'DONE' ? 'Try next:' : 'What helps now:';
  return [heading, ...steps.map(([run, what]) => `  ${run.padEnd(width)}  ${paint('gray', what)}`)];
}

/** Options of this command that others need to find the same: its log, its projects as well, and its Redis. */
function repeated({ dataDir, projectsDir, prefix, redis }: Globals): Repeated {
  const usual = readConfig();
  const option = (name: string, value: string, isUsual: boolean): string =>
    isUsual ? '' : ` --${name} ${value}`;
  const data = option('data', shown(dataDir), dataDir === usual.dataDir);
  const projects = data + option('projects', shown(projectsDir), projectsDir === usual.projectsDir);
  // A password is not printed.
  const address = redis?.includes('@') ? 'URL' : word(redis ?? '');
  const all =
    projects +
    option('prefix', word(prefix), prefix === usual.prefix) +
    option('redis', address, redis === usual.redisUrl);
  return { data, projects, all };
}

interface Repeated {
  readonly data: string;
  readonly projects: string;
  readonly all: string;
}

/** How this program was called; in its own repository it is not on the PATH. */
function programName(): string {
  const called = process.argv[1] ?? '';
  return called.endsWith('/drover') ? 'drover' : 'npx drover';
}

/** A path as somebody would type it. */
function shown(path: string): string {
  const short = relative('.', path);
  const chosen = short.startsWith('..') || short === '' ? path : short;
  return word(chosen);
}

const word = (text: string): string => (/^[\w./:-]+$/.test(text) ? text : shellWord(text));
