/** The package as it is installed: what its types are to a project that looks at every declaration. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Uses what index.ts exports as a project would, and what it must not reach. */
const PROGRAM = `
import {
  connectDrover, createDrover, DroverError, exportFlow, FlowProblems, importPlan, readFlow,
  type AgentOptions, type Drover, type DroverClient, type DroverOptions, type Enqueued, type Estimate, type Event,
  type Finding, type Flow, type GoalHandle, type GoalReport, type GoalRequest, type GoalState, type Handler,
  type ImportedPlan, type Json, type LoggedEvent, type ParsedFlow, type ScheduleRequest, type TaskContext,
  type TaskReport,
} from 'drover';

const cook: Handler = (task: TaskContext) => task.step('cook', () => \`\${task.name} is ready\`);
const request: GoalRequest = { title: 'Dinner', tasks: [{ name: 'soup', capability: 'cook' }] };

export async function serve(options: DroverOptions): Promise<GoalState> {
  const drover: Drover = await createDrover({ ...options, timing: { lockDuration: 1_000 } });
  await drover.agent('cook', cook, { concurrency: 2 } satisfies AgentOptions);
  const goal: GoalHandle & Pick<Enqueued, 'created' | 'waitingFor'> = await drover.enqueue(request);
  for await (const { event } of goal.events()) console.log(event.type);
  const { state, tasks }: GoalReport = await goal.done();
  const [task]: readonly TaskReport[] = tasks;
  const result: Json = task?.result ?? null;
  console.log(result, drover.queues(), drover.prefix);
  // @ts-expect-error the log is Drover's own
  void drover.ledger;
  // @ts-expect-error so is its connection
  void drover.connection;
  await drover.close({ force: true });
  return state;
}

export async function join(): Promise<string> {
  const client: DroverClient = await connectDrover();
  const { goal } = await client.enqueue(request, { timeout: 1_000 });
  const again = await client.rerun('task-1', { fork: true });
  // @ts-expect-error nothing is given up with a title
  await client.cancel({ title: 'Dinner' });
  // @ts-expect-error no task without a capability
  await client.addTasks(goal, [{ name: 'bread' }]);
  return again.goal;
}

export type Rest = [
  Estimate, Event, Finding, Flow, ImportedPlan, LoggedEvent, ParsedFlow, ScheduleRequest,
  typeof exportFlow, typeof importPlan, typeof readFlow, FlowProblems, DroverError,
];
`;

it('checks in a strict project that skips no declarations', () => {
  const project = mkdtempSync(join(tmpdir(), 'drover-package-'));
  onTestFinished(() => rmSync(project, { recursive: true }));
  const modules = join(project, 'node_modules');
  const installed = join(modules, 'drover');
  mkdirSync(installed, { recursive: true });
  // Without its scripts, which would build dist/ under other tests.
  const tarball = run(
    'npm',
    ['pack', '--silent', '--ignore-scripts', '--offline', '--pack-destination', project],
    root,
  ).trim();
  run('tar', ['-xzf', join(project, tarball), '--strip-components=1'], installed);
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  // Its dependencies alone, and what bullmq and ioredis ask for: nothing that Drover is developed with.
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'program.ts'), PROGRAM);
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['program.ts'] }),
  );
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { stdout, status } = spawnSync(process.execPath, [tsc], { cwd: project, encoding: 'utf8' });
  // Where a declaration is found that needs drizzle-orm or better-sqlite3, what leads there is to be marked @internal.
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} failed:\n${stderr}`);
  return stdout;
}
