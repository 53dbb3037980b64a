/** Runs the built command line in processes of its own, each with a data directory that goes with its test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { listProcesses } from '../../src/agents/process-table.js';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** A command line that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when standard output (or error) matches. */
  readonly says: (pattern: RegExp) => Promise<void>;
}

export interface Place {
  readonly dir: string;
  readonly data: string;
  /** The folder of the project `default`. */
  readonly project: string;
  readonly start: (args: readonly string[], env?: NodeJS.ProcessEnv) => Running;
  readonly drover: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Ended>;
  /** Writes a flow file, with the project's folder for `@`, and returns its path. */
  readonly flow: (text: string, name?: string) => Promise<string>;
  /** The number that a task wrote into a file of its project. */
  readonly pid: (file: string) => Promise<number>;
}

/** One place for each test; whatever still runs there is ended afterwards. */
export function places(): () => Promise<Place> {
  const open: { dir: string; children: Set<ChildProcess> }[] = [];
  afterEach(async () => {
    for (const { dir, children } of open.splice(0)) {
      for (const child of children) child.kill('SIGKILL');
      for (const file of ['supervisor.json', 'redis.json']) endRecorded(join(dir, 'data', file));
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    }
  });
  return async () => {
    const dir = mkdtempSync(join(tmpdir(), 'drover-cli-'));
    const children = new Set<ChildProcess>();
    open.push({ dir, children });
    const project = join(dir, 'projects', 'default');
    await mkdir(project, { recursive: true });
    const start: Place['start'] = (args, env = {}) => {
      const running = startProcess(dir, args, env);
      children.add(running.child);
      void running.ended.then(() => children.delete(running.child));
      return running;
    };
    return {
      dir,
      data: join(dir, 'data'),
      project,
      start,
      drover: (args, env) => start(args, env).ended,
      async flow(text, name = 'flow.yaml') {
        const file = join(dir, name);
        // Tasks work in worktrees of their own: what they and their test share lies elsewhere.
        await writeFile(file, text.replaceAll('@/', `${project}/`));
        return file;
      },
      async pid(file) {
        const path = join(project, file);
        await until(() => existsSync(path) && readFileSync(path, 'utf8').endsWith('\n'));
        return Number(readFileSync(path, 'utf8'));
      },
    };
  };
}

function startProcess(dir: string, args: readonly string[], extra: NodeJS.ProcessEnv): Running {
  const {
    REDIS_URL: _redis,
    DROVER_TOKEN: _token,
    FORCE_COLOR: _colour,
    ...inherited
  } = process.env;
  const env = {
    ...inherited,
    DROVER_DATA: join(dir, 'data'),
    DROVER_PROJECTS: join(dir, 'projects'),
    ...extra,
  };
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: dir,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    out,
    err,
  }));
  let over = false;
  void ended.then(() => (over = true));
  const says = (pattern: RegExp): Promise<void> =>
    until(() => {
      if (pattern.test(out + err)) return true;
      if (over) throw new Error(`It ended and never said ${pattern}:\n${out}${err}`);
      return false;
    });
  return { child, ended, says };
}

/** Waits for something that another process brings about. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(20);
}

/** States of a goal's tasks in the order of the plan, from the log's file. */
export function taskStates({ data }: Place, goal: string): string[] {
  const log = Log.read(data);
  try {
    return [...(loadGoal(log.db, goal)?.tasks.values() ?? [])].map(({ state }) => state);
  } finally {
    log.close();
  }
}

export async function isRunning(pid: number): Promise<boolean> {
  return (await listProcesses()).some((entry) => entry.pid === pid);
}

/** The process id that Drover's own Redis of a data directory has, or undefined where none was started. */
export const redisPid = (place: Place): number | undefined =>
  readRecorded(join(place.data, 'redis.json'));

export const supervisorPid = (place: Place): number | undefined =>
  readRecorded(join(place.data, 'supervisor.json'));

function readRecorded(file: string): number | undefined {
  const pid = Number(/"pid": ?(\d+)/.exec(existsSync(file) ? readFileSync(file, 'utf8') : '')?.[1]);
  return Number.isNaN(pid) ? undefined : pid;
}

function endRecorded(file: string): void {
  const pid = readRecorded(file);
  if (pid === undefined) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

export const GOOD = `
name: Good
tasks:
  first: { run: echo one }
  second: { run: "echo '{\\"x\\": 1}'", needs: first }
`;

export const FAILING = `
name: Failing
tasks:
  first: { run: echo one }
  broken: { run: "test -e @/mended || { echo no such luck >&2; exit 3; }", needs: first, retry: { attempts: 1 } }
  after: { run: echo two, needs: broken }
`;

/** Holds a worker until the file `go` is in the project; says where it runs. */
export const HOLDING = `
name: Holding
tasks:
  hold:
    run: |
      sleep 300 & echo $! > @/child.pid
      echo $$ > @/shell.pid
      until test -e @/go; do sleep 0.05; done
      kill $!
  after: { run: echo after, needs: hold }
`;
