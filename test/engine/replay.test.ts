import { beforeAll, expect, test } from 'vitest';
import type { LoggedEvent } from '../../src/core/events.js';
import type { GoalReport } from '../../src/projections/report.js';
import { Ledger } from '../../src/engine/recording/ledger.js';
import { Moves } from '../../src/engine/history/goal-fold.js';
import { renderReplay } from '../../src/cli/render/replay-report.js';
import { replay, replayEvents } from '../../src/engine/history/replay.js';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';
import { reportOf } from '../../src/projections/report.js';
import { testBed } from '../support/redis.js';
import { eventfulGoal } from './history-runs.js';

const bed = testBed();
/** What the stored rows showed after each commit, by its last event. */
const stored = new Map<number, GoalReport>();
let dataDir: string;
let all: LoggedEvent[];

beforeAll(async () => {
  dataDir = bed.folder('recorded');
  const drover = await bed.start({ dataDir });
  const { ledger } = drover;
  ledger.onCommit(() => {
    // One transaction: the recording thread may have gone on.
    ledger.log.db.transaction(() => {
      const goal = loadGoal(ledger.log.db, 'goal-1');
      stored.set(ledger.log.lastSeq(), reportOf(goal!));
    });
  });
  await eventfulGoal(drover);
  all = [...ledger.log.events()];
  await drover.close();
});

/** Works on the recorded log. */
function onLog<T>(work: (log: Log) => T): T {
  const log = Log.read(dataDir);
  try {
    return work(log);
  } finally {
    log.close();
  }
}

test('at every event that ended a commit, the replay shows what the stored rows showed then', () => {
  // How many commits a run takes depends on the recorder's pace; one per stage is the least.
  expect(stored.size).toBeGreaterThanOrEqual(3);
  onLog((log) => {
    for (const [seq, report] of stored) {
      expect(replay(log, { goal: 'goal-1', at: { seq } }).view).toEqual(report);
    }
  });
});

test('at every event, the replay shows what a ledger that was given the events so far stores', () => {
  const ledger = new Ledger(Log.open(bed.folder('again')));
  const consequences = new Set(['goal.settled', 'goal.reopened', 'goal.completed']);
  let commits = 0;
  for (const { seq: _seq, ...entry } of all) {
    // The ledger adds these by itself.
    if (consequences.has(entry.event.type)) continue;
    const seq = ledger.commit([entry]).events.at(-1)!.seq;
    const goal = loadGoal(ledger.log.db, 'goal-1')!;
    expect(onLog((log) => replay(log, { goal: 'goal-1', at: { seq } }).view)).toEqual(
      reportOf(goal),
    );
    commits += 1;
  }
  expect(commits).toBeGreaterThan(10);
  ledger.log.close();
});

test('without a moment, the whole history is told', () => {
  const told = onLog((log) => replay(log, { goal: 'goal-1' }));
  expect(told.history.map(({ seq }) => seq)).toEqual(all.map(({ seq }) => seq));
  expect(told).toMatchObject({
    goal: 'goal-1',
    task: null,
    seq: all.length,
    view: { state: 'DONE' },
  });
  expect(told.history[0]?.after).toBe(0);
  expect(told.history.every(({ after, time }) => time - told.history[0]!.time === after)).toBe(
    true,
  );
  expect(told.tasks.map(({ name }) => name)).toEqual([
    'start',
    'flaky',
    'shy',
    'grower',
    'proven',
    'added',
  ]);
});

test('a task tells its stages, claims, attempts, steps and why it failed', () => {
  const { history, tasks, task } = onLog((log) => replay(log, { task: 'task-2' }));
  expect(task).toBe('task-2');
  const [planned, ...own] = history;
  expect(planned).toMatchObject({ event: { type: 'goal.planned' } });
  expect(new Set(own.map((entry) => entry.task))).toEqual(new Set(['task-2']));
  const [flaky] = tasks;
  expect(flaky?.stages.map(({ state }) => state)).toEqual([
    'BACKLOG',
    'PENDING',
    'ASSIGNED',
    'ACTIVE',
    'PENDING',
    'ASSIGNED',
    'ACTIVE',
    'DONE',
  ]);
  for (const [index, stage] of flaky!.stages.slice(0, -1).entries()) {
    expect(stage.until).toBe(flaky!.stages[index + 1]!.since);
    expect(stage.duration).toBe(stage.until! - stage.since);
  }
  expect(flaky?.stages.at(-1)).toMatchObject({ until: null, duration: null });
  expect(flaky?.claims).toMatchObject([
    {
      claim: 1,
      attempt: 1,
      end: 'failed',
      reason: 'the first time never works',
      steps: [
        { step: 'first', result: 1 },
        { step: 'second', result: { first: 1 } },
      ],
    },
    { claim: 2, attempt: 2, end: 'done', reason: null, steps: [] },
  ]);
});

test('declined and suspended claims, and a check with its output, are told', () => {
  const { tasks } = onLog((log) => replay(log, { goal: 'goal-1' }));
  const endsOf = (name: string) =>
    tasks.find((task) => task.name === name)!.claims.map(({ end }) => end);
  expect(endsOf('shy')).toEqual(['declined', 'done']);
  expect(endsOf('grower')).toEqual(['suspended', 'done']);
  const proven = tasks.find(({ name }) => name === 'proven')!;
  expect(proven.claims[0]?.check).toMatchObject({
    command: 'echo looked',
    exitCode: 0,
    passed: true,
    output: expect.stringContaining('looked'),
  });
});

test('a time shows nothing that is later', () => {
  const middle = all[Math.floor(all.length / 2)]!.time;
  const told = onLog((log) => replay(log, { goal: 'goal-1', at: { time: middle } }));
  expect(told.history.length).toBeGreaterThan(0);
  expect(told.history.every(({ time }) => time <= middle)).toBe(true);
  expect(told.seq).toBe(all.findIndex(({ time }) => time > middle));
});

test('a moment inside a claim shows it as it was', () => {
  const began = all.find(({ task, event }) => task === 'task-2' && event.type === 'task.active')!;
  const { tasks, view } = onLog((log) => replay(log, { task: 'task-2', at: { seq: began.seq } }));
  expect(tasks[0]?.claims).toMatchObject([{ claim: 1, end: null, endedAt: null, duration: null }]);
  expect(view.tasks.find(({ id }) => id === 'task-2')?.state).toBe('ACTIVE');
});

test('what a stale claim said stays with that claim', () => {
  const late = all.at(-1)!.seq + 1;
  const stale: LoggedEvent = {
    ...all.find(({ task, claim }) => task === 'task-2' && claim === 1)!,
    seq: late,
    event: { type: 'step.done', step: 'late', result: null },
  };
  const { tasks } = replayEvents([...all, stale], { goal: 'goal-1', task: 'task-2' });
  expect(tasks[0]?.claims.map(({ steps }) => steps.map(({ step }) => step))).toEqual([
    ['first', 'second', 'late'],
    [],
  ]);
});

test('what never was, or was not yet, is said', () => {
  onLog((log) => {
    expect(() => replay(log, { goal: 'goal-7' })).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
    expect(() => replay(log, { task: 'task-99' })).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
    expect(() => replay(log, { goal: 'goal-1', at: { time: all[0]!.time - 1 } })).toThrow(
      /^At \d{4}-.* there was no goal-1 yet\.$/,
    );
    // Only the plan is sure to be recorded before `added` was: what queues tell may be read later.
    expect(() => replay(log, { task: 'task-6', at: { seq: 2 } })).toThrow(
      /^At event 2 there was no task-6 yet\.$/,
    );
  });
});

test('the end of a job is told as what it came to for its task', async () => {
  const own = bed.folder('given-up');
  const drover = await bed.start({ dataDir: own });
  const task = { capability: 'nobody' };
  const goal = await drover.enqueue({
    title: 'Given up',
    tasks: [
      { ...task, name: 'skipped' },
      { ...task, name: 'cancelled' },
      { name: 'after', capability: 'developer', needs: ['skipped'] },
      { name: 'again', capability: 'developer' },
    ],
  });
  await drover.cancel('task-1', undefined, { dependents: 'skip' });
  await drover.cancel('task-2');
  await drover.agent('developer', () => null);
  expect(await goal.done()).toMatchObject({ state: 'DONE' });
  await drover.rerun('task-4');
  expect(await goal.done()).toMatchObject({ state: 'DONE' });
  await drover.close();
  const log = Log.read(own);
  const moves = new Moves(log);
  const { history } = replay(log, { goal: goal.id });
  const ends = history.flatMap((entry) => {
    if (entry.event.type !== 'task.completed' && entry.event.type !== 'task.failed') return [];
    expect(moves.of(entry)?.to).toBe(entry.move?.to);
    return [
      `${entry.task}: ${entry.event.type}, ${entry.move?.from === entry.move?.to ? 'stays' : 'gets'} ${entry.move?.to}`,
    ];
  });
  log.close();
  expect(ends.toSorted()).toEqual([
    'task-1: task.completed, stays CANCELLED',
    'task-2: task.completed, stays CANCELLED',
    'task-3: task.completed, gets DONE',
    'task-4: task.completed, gets DONE',
    'task-4: task.completed, gets DONE',
  ]);
});

test('what was done to the goal as a whole is told of the tasks that it changed, and who asked for it', async () => {
  const drover = await bed.start({});
  const goal = await drover.enqueue({
    title: 'Asked',
    tasks: [
      { name: 'first', capability: 'nobody', wait: { signal: 'go' } },
      { name: 'other', capability: 'nobody', wait: { signal: 'never' } },
      { name: 'next', capability: 'nobody', needs: ['first'], approve: { when: 'before' } },
    ],
  });
  await drover.signal(goal.id, 'go', 1);
  await drover.cancel('task-2', 'not needed');
  const { log } = drover.ledger;
  const typesOf = (task: string) => replay(log, { task }).history.map(({ event }) => event.type);
  expect(typesOf('task-1').slice(0, 2)).toEqual(['goal.planned', 'goal.signalled']);
  expect(typesOf('task-2').slice(0, 2)).toEqual(['goal.planned', 'tasks.cancelled']);
  expect(typesOf('task-3')).toEqual(['goal.planned']);
  const lines = renderReplay(replay(log, { task: 'task-2' })).join('\n');
  expect(lines).toMatch(/task-2 cancelled: not needed \(.+\)/);
  expect(renderReplay(replay(log, { task: 'task-3' })).join('\n')).toContain(
    'BACKLOG, waits for first, approval',
  );
});

test('a claim whose task begins again is told as withdrawn, and not as one that goes on', async () => {
  const drover = await bed.start({});
  await drover.agent('cook', () => 'soup');
  await drover.agent('waiter', ({ signal }) =>
    signal.aborted ? null : new Promise((resolve) => signal.addEventListener('abort', resolve)),
  );
  const goal = await drover.enqueue({
    title: 'Dinner',
    tasks: [
      { name: 'soup', capability: 'cook' },
      { name: 'serve', capability: 'waiter', needs: ['soup'] },
    ],
  });
  const stateOf = async (at: number) => (await goal.report()).tasks[at]!.state;
  await expect.poll(() => stateOf(1), { timeout: 20_000 }).toBe('ACTIVE');
  await drover.rerun('task-1');
  const told = replay(drover.ledger.log, { task: 'task-2' });
  expect(told.tasks[0]!.claims[0]).toMatchObject({ claim: 1, end: 'withdrawn' });
  expect(renderReplay(told).join('\n')).toMatch(/claim 1 .*withdrawn after/);
  await drover.cancel(goal.id);
});
