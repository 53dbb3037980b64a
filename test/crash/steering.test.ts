/**
 * Supervisors that die between what people decide and what comes of it: nothing is lost, doubled or opened twice.
 *
 * Each request is made of a supervisor that is to die at a point. The next one is asked for nothing more, where the
 * request was recorded; where it was not, the request is repeated, as its sender would.
 */
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/engine/audit/audit.js';
import type { Event } from '../../src/core/events.js';
import type { TaskView } from '../../src/core/goal.js';
import type { PlannedTaskInput } from '../../src/core/plan.js';
import type { TaskState } from '../../src/core/task-state.js';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';
import { type CrashPlan, PREFIX, QUICK, reading, type Scene, stage, until } from './support.js';

const set = stage();

const task = (name: string, more: Partial<PlannedTaskInput> = {}): PlannedTaskInput => ({
  name,
  capability: 'worker',
  with: { steps: 1, ms: 5 },
  retry: { attempts: 1 },
  ...more,
});

type Request = readonly [method: string, ...given: unknown[]];

interface Case {
  readonly what: string;
  readonly plan: readonly PlannedTaskInput[];
  /** What the tasks are when the request is made. */
  readonly before: Readonly<Record<string, TaskState>>;
  readonly request: Request;
  /** The event by which the log has it. */
  readonly recorded: Event['type'];
  /** Made before, of a supervisor that lives on, and afterwards, of the one that comes next. */
  readonly prepare?: readonly Request[];
  readonly next?: readonly Request[];
  /** A task that has been put aside when the request is made. */
  readonly held?: string;
  /** Where Redis is told. */
  readonly points: readonly CrashPlan['point'][];
  readonly after: Readonly<Record<string, TaskState>>;
  /** How often each task ran in all; once unless given. */
  readonly runs?: Readonly<Record<string, number>>;
}

const chain = [task('a'), task('b', { needs: ['a'] }), task('c', { needs: ['b'] })];
const done: Case['after'] = { a: 'DONE', b: 'DONE', c: 'DONE' };

const cases: readonly Case[] = [
  {
    what: 'an approval',
    plan: [task('a'), task('b', { needs: ['a'], approve: 'before' }), chain[2]!],
    before: { a: 'DONE', b: 'BACKLOG' },
    request: ['approve', 'task-2'],
    recorded: 'task.approved',
    points: ['before:droverComplete', 'after:droverComplete'],
    after: done,
  },
  {
    what: 'a signal',
    plan: [task('a'), task('b', { needs: ['a'], wait: { signal: 'go' } }), chain[2]!],
    before: { a: 'DONE', b: 'BACKLOG' },
    request: ['signal', 'goal-1', 'go', 1],
    recorded: 'goal.signalled',
    points: ['before:droverComplete', 'after:droverComplete'],
    after: done,
  },
  {
    what: 'a rejection for good',
    plan: [task('a'), task('b', { needs: ['a'], approve: 'before' }), chain[2]!],
    before: { a: 'DONE', b: 'BACKLOG' },
    request: ['reject', 'task-2', 'no', { end: true }],
    recorded: 'task.rejected',
    points: ['before:droverSeize', 'after:droverSeize'],
    after: { a: 'DONE', b: 'FAILED', c: 'BACKLOG' },
    runs: { b: 0, c: 0 },
  },
  {
    what: 'a rerun of what is done',
    plan: chain,
    before: done,
    request: ['rerun', 'task-2', { key: 'once' }],
    recorded: 'tasks.reopened',
    points: ['before:droverAddJobs', 'after:droverAddJobs'],
    after: done,
    runs: { b: 2, c: 2 },
  },
  {
    what: 'a fork',
    plan: chain,
    before: done,
    request: ['rerun', 'task-3', { key: 'once', fork: true }],
    recorded: 'goal.created',
    points: ['before:droverAddJobs', 'after:droverAddJobs'],
    after: done,
    runs: { c: 2 },
  },
  {
    what: 'a skip of what failed',
    plan: [task('a', { with: { steps: 0, failures: 9 } }), ...chain.slice(1)],
    before: { a: 'FAILED', b: 'BACKLOG' },
    request: ['skip', 'task-1'],
    recorded: 'task.skipped',
    points: ['before:droverSeize', 'after:droverSeize'],
    after: { a: 'CANCELLED', b: 'DONE', c: 'DONE' },
  },
  {
    what: 'a cancel of what waits',
    plan: [task('a'), task('b', { wait: { signal: 'never' } }), chain[2]!],
    before: { a: 'DONE', b: 'BACKLOG' },
    request: ['cancel', 'task-2'],
    recorded: 'tasks.cancelled',
    points: ['before:droverSeize', 'after:droverSeize'],
    after: { a: 'DONE', b: 'CANCELLED', c: 'CANCELLED' },
    runs: { b: 0, c: 0 },
  },
];

const waiting = [task('a'), task('b', { needs: ['a'], wait: { signal: 'go' } }), chain[2]!];
const go: Request = ['signal', 'goal-1', 'go', 1];

/** What is told to Redis alone, or to workers: dying before that is what could lose it. */
const told: readonly Case[] = [
  {
    what: 'a pause',
    plan: waiting,
    before: { a: 'DONE', b: 'BACKLOG' },
    request: ['pause', { goal: 'goal-1' }],
    recorded: 'goal.paused',
    next: [go, ['resume', { goal: 'goal-1' }]],
    points: [],
    after: done,
  },
  {
    what: 'a resume',
    plan: waiting,
    before: { a: 'DONE', b: 'PENDING' },
    prepare: [['pause', { goal: 'goal-1' }], go],
    held: 'b',
    request: ['resume', { goal: 'goal-1' }],
    recorded: 'goal.resumed',
    points: [],
    after: done,
  },
  {
    what: 'an edit',
    plan: waiting,
    before: { a: 'DONE', b: 'BACKLOG' },
    request: ['edit', 'task-2', { with: { steps: 2, ms: 5 } }],
    recorded: 'task.edited',
    next: [go],
    points: [],
    after: done,
    runs: { b: 2 },
  },
  {
    what: 'added tasks',
    plan: waiting,
    before: { a: 'DONE', b: 'BACKLOG' },
    request: ['addTasks', 'goal-1', [task('d', { needs: ['c'] })], { key: 'once' }],
    recorded: 'plan.grown',
    next: [go],
    points: [],
    after: { ...done, d: 'DONE' },
    runs: { d: 1 },
  },
  {
    what: 'a retry of what was refused',
    plan: [task('a'), task('b', { needs: ['a'], approve: 'before' }), chain[2]!],
    before: { a: 'DONE', b: 'FAILED' },
    prepare: [['reject', 'task-2', 'no', { end: true }]],
    request: ['retry', 'task-2'],
    recorded: 'tasks.reopened',
    next: [['approve', 'task-2']],
    points: ['before:droverAddJobs', 'after:droverAddJobs'],
    after: done,
  },
];

const commits: readonly CrashPlan['point'][] = ['before:commit', 'after:commit'];
const points = (some: readonly Case[], always: readonly CrashPlan['point'][]) =>
  some.flatMap((one) => [...always, ...one.points].map((point) => ({ ...one, point })));
const all = [...points(cases, commits), ...points(told, ['after:commit'])];

const tasksOf = (scene: Scene): TaskView[] =>
  reading(scene, ({ db }) => [...(loadGoal(db, 'goal-1')?.tasks.values() ?? [])]);

const statesOf = (scene: Scene): Record<string, TaskState> =>
  Object.fromEntries(tasksOf(scene).map(({ spec, state }) => [spec.name, state]));

const heldOf = (scene: Scene): string[] =>
  tasksOf(scene).flatMap(({ spec, held }) => (held === null ? [] : spec.name));

/** How many events of a type the log has. */
const countOf = (scene: Scene, type: Event['type']): number =>
  reading(scene, (log) => [...log.events({ types: [type] })].length);

const holds = (states: Record<string, TaskState>, wanted: Readonly<Record<string, TaskState>>) =>
  Object.entries(wanted).every(([name, state]) => states[name] === state);

describe('the supervisor', () => {
  it.each(all)('dies at $point of $what', async (one) => {
    const { plan, before, prepare = [], held, request, recorded, next = [] } = one;
    const { point, after, runs } = one;
    const scene = await set();
    const first = await scene.supervisor({ timing: QUICK, agents: {} });
    await first.ask('enqueue', { title: 'Steer', tasks: plan });
    if (prepare.length > 0) await until(() => statesOf(scene)['a'] === 'DONE');
    for (const each of prepare) await first.ask('control', each);
    await until(() => holds(statesOf(scene), before));
    if (held !== undefined) await until(() => heldOf(scene).includes(held));
    const count = countOf(scene, recorded);
    const matching = commits.includes(point) ? { matching: recorded } : {};
    await first.ask('crashAt', { point, ...matching });
    first.send({ ask: -1, action: 'control', input: request });
    await first.exited;
    expect(first.signalCode).toBe('SIGKILL');
    const second = await scene.supervisor({ timing: QUICK, agents: {} });
    // Also where it died earlier than meant: something else was still on its way to the same point.
    if (countOf(scene, recorded) === count) await second.ask('control', request);
    for (const each of next) await second.ask('control', each);
    const forked = request.some(
      (part) => part !== null && typeof part === 'object' && 'fork' in part,
    );
    await until(() => holds(statesOf(scene), after));
    if (forked) {
      await second.ask('follow', 'goal-2');
      await second.line(({ ended }) => ended === 'goal-2');
    } else {
      await until(() => settled(scene, plan, runs));
    }
    await second.end();
    expect(statesOf(scene)).toMatchObject(after);
    expect(runsOf(scene)).toEqual(expectedRuns(plan, runs));
    await agree(scene);
  });
});

/** How often each task was finished: a crash may begin one again, and finish it only once. */
function runsOf(scene: Scene): Record<string, number> {
  return reading(scene, (log) => {
    const counts: Record<string, number> = {};
    const names = new Map<string, string>();
    for (const { event, task: id } of log.events()) {
      if (event.type === 'goal.planned' || event.type === 'plan.grown')
        for (const spec of event.tasks) names.set(spec.id, spec.name);
      if (event.type !== 'step.done') continue;
      const name = names.get(id!)!;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  });
}

function expectedRuns(plan: Case['plan'], runs: Case['runs'] = {}): Record<string, number> {
  const entries = plan.map(({ name, with: input }): [string, number] => [
    name,
    input?.['steps'] === 0 ? 0 : (runs[name] ?? 1),
  ]);
  const counts = { ...Object.fromEntries(entries), ...runs };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

const settled = (scene: Scene, plan: Case['plan'], runs: Case['runs']): boolean =>
  JSON.stringify(runsOf(scene)) === JSON.stringify(expectedRuns(plan, runs)) &&
  !Object.values(statesOf(scene)).some((state) => state === 'ACTIVE' || state === 'ASSIGNED');

async function agree(scene: Scene): Promise<void> {
  const log = Log.read(scene.dataDir);
  try {
    const { disagreements } = await scene.redis.use((client) =>
      audit({ log, redis: { client, prefix: PREFIX }, running: false }),
    );
    expect(disagreements.map(({ goal, explanation }) => `${goal}: ${explanation}`)).toEqual([]);
  } finally {
    log.close();
  }
}
