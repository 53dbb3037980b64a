/** Runs the demo's flow with nothing but a shell: what it builds has to work whatever becomes of the engine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PlannedTask } from '../../src/core/plan.js';
import { type ParsedFlow, readFlow } from '../../src/plan/flow-file.js';

const FILE = fileURLToPath(new URL('../../flows/authentication.yaml', import.meta.url));
const CAPABILITIES = ['developer', 'tester'];
/** Seconds of the lock on staging, in place of the flow's 8: it is to be in force still when a busy machine gets there. */
const LOCK = 20;

interface Failure {
  readonly task: string;
  readonly attempt: number;
  readonly output: string;
}

async function shell(folder: string, command: string, env: Record<string, string>) {
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, output: (await output).join('') };
}

/** Tries a task as often as its policy allows; returns the attempts that failed. */
async function attempts(task: PlannedTask, folder: string): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (let attempt = 1; attempt <= task.retry.attempts; attempt += 1) {
    if (attempt > 1) await sleep(Math.max(task.retry.backoff.delay, LOCK * 1_000));
    const locks = task.env?.['AUTH_LOCK_SECONDS'] && { AUTH_LOCK_SECONDS: String(LOCK) };
    const env = { ...task.env, ...locks, DROVER_TASK: task.name, DROVER_ATTEMPT: String(attempt) };
    let result = await shell(folder, task.run ?? 'false', env);
    if (result.status === 0) result = await shell(folder, task.check?.run ?? 'false', env);
    if (result.status === 0) return failures;
    failures.push({ task: task.name, attempt, output: result.output });
  }
  throw new Error(`${task.name} failed:\n${failures.at(-1)?.output}`);
}

/** Runs each task as soon as its needs are done. */
async function runAll(tasks: readonly PlannedTask[], folder: string): Promise<Failure[]> {
  const started = new Map<string, Promise<Failure[]>>();
  const start = (name: string): Promise<Failure[]> => {
    const known = started.get(name);
    if (known) return known;
    const task = tasks.find((one) => one.name === name);
    if (!task) throw new Error(`no task ${name}`);
    const run = Promise.all(task.needs.map(start)).then(() => attempts(task, folder));
    started.set(name, run);
    return run;
  };
  return (await Promise.all(tasks.map(({ name }) => start(name)))).flat();
}

describe('flows/authentication.yaml', () => {
  let folder: string;
  let parsed: ParsedFlow;
  let failures: Failure[];

  beforeAll(async () => {
    parsed = await readFlow(FILE, { knownCapabilities: CAPABILITIES });
    folder = await mkdtemp(join(tmpdir(), 'drover-authentication-'));
    failures = await runAll(parsed.flow.tasks, folder);
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('is ten proven tasks for developers and testers', () => {
    const { flow, warnings } = parsed;
    expect(warnings).toEqual([]);
    expect(flow.title).toBe('Build authentication system');
    expect(flow.tasks).toHaveLength(10);
    expect(new Set(flow.tasks.map(({ capability }) => capability))).toEqual(new Set(CAPABILITIES));
    for (const task of flow.tasks) expect(task.check, task.name).toBeDefined();
  });

  test('fails once, because the account is locked, and succeeds on the retry', () => {
    expect(failures.map(({ task, attempt }) => ({ task, attempt }))).toEqual([
      { task: 'acceptance', attempt: 1 },
    ]);
    expect(failures[0]?.output).toContain('ada cannot log in: 429');
  });

  test('builds a module whose tests pass, also when it is built again in the same place', async () => {
    const tasks = parsed.flow.tasks.filter(({ name }) => name !== 'suite');
    const again = await runAll(tasks, folder);
    expect(again.filter(({ task }) => task !== 'acceptance')).toEqual([]);

    const { status, output } = await shell(folder, 'node --test --test-reporter=tap', {});
    expect(status, output).toBe(0);
    expect(Number(/^# pass (\d+)$/m.exec(output)?.[1])).toBeGreaterThanOrEqual(10);
    expect(output).toMatch(/^# fail 0$/m);
  }, 120_000);

  test('leaves nothing behind but the module and its staging accounts', async () => {
    expect((await readdir(folder)).toSorted()).toEqual(
      ['.gitignore', 'README.md', 'package.json', 'src', 'staging', 'test'].toSorted(),
    );
  });
});
