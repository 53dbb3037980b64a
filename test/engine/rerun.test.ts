/** Tasks that begin again, in their goal or in a fork of it. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/engine/audit/audit.js';
import type { Drover } from '../../src/engine/drover.js';
import { Projects } from '../../src/engine/workspaces/projects.js';
import type { TaskContext } from '../../src/index.js';
import { testBed } from '../support/redis.js';
import { agree, PATIENCE } from './steering-support.js';

const bed = testBed();

/** a → b → d, a → c → d; each says what it saw. */
const diamond = [
  { name: 'a', capability: 'work', with: { say: 1 } },
  { name: 'b', capability: 'work', needs: ['a'], retry: { unless: ['never'] } },
  { name: 'c', capability: 'work', needs: ['a'] },
  { name: 'd', capability: 'work', needs: ['b', 'c'] },
];

const say = async (task: TaskContext): Promise<unknown> => ({
  say: task.with['say'] ?? null,
  saw: await task.needs(),
});

async function results(drover: Drover, goal: string) {
  const { tasks } = await drover.goal(goal).report();
  return Object.fromEntries(tasks.map(({ name, result }) => [name, result]));
}

describe('a task of a goal that is done', () => {
  it('begins again with what builds on it, under jobs of their own, and shares what it needs', async () => {
    const drover = await bed.start();
    const runs: string[] = [];
    await drover.agent('work', (task) => {
      runs.push(`${task.name}#${task.claim}`);
      return say(task);
    });
    const goal = await drover.enqueue({ title: 'Again', tasks: diamond });
    expect((await goal.done()).state).toBe('DONE');
    await expect(drover.rerun('task-2', { changes: { run: 'true' } })).rejects.toMatchObject({
      code: 'bad-input',
    });
    const again = await drover.rerun('task-2', {
      changes: { with: { say: 2 }, retry: { attempts: 9 } },
      why: 'wrong',
    });
    expect(again).toEqual({ goal: 'goal-1', task: 'task-2', tasks: ['task-2', 'task-4'] });
    const report = await goal.done();
    expect(report.state).toBe('DONE');
    expect(runs.slice(4)).toEqual(['b#2', 'd#2']);
    const a = { say: 1, saw: {} };
    const b = { say: 2, saw: { a } };
    expect(await results(drover, 'goal-1')).toEqual({
      a,
      b,
      c: { say: null, saw: { a } },
      d: { say: null, saw: { b, c: { say: null, saw: { a } } } },
    });
    const { retry } = drover.ledger.board.goal('goal-1')!.tasks.get('task-2')!.spec;
    expect(retry).toMatchObject({ attempts: 9, unless: ['never'] });
    await agree(drover);
    expect(bed.errors).toEqual([]);
  });

  it('begins again in a fork that goes on without what was skipped', async () => {
    const drover = await bed.start();
    await drover.agent('work', async (task) => {
      if (task.name === 'a') throw new Error('never');
      return Object.values(await task.needs());
    });
    const [a, b] = diamond;
    const goal = await drover.enqueue({
      title: 'Skipped',
      tasks: [{ ...a!, retry: { attempts: 1 } }, b!],
    });
    expect((await goal.done()).state).toBe('SETTLED');
    await drover.skip('task-1');
    expect((await goal.done()).state).toBe('DONE');
    expect(await drover.rerun('task-2', { fork: true })).toMatchObject({ tasks: ['task-4'] });
    const { state, tasks } = await drover.goal('goal-2').done();
    expect(state).toBe('DONE');
    expect(tasks).toMatchObject([
      { state: 'CANCELLED', claims: 0 },
      { state: 'DONE', result: [null] },
    ]);
    await agree(drover);
    expect(bed.errors).toEqual([]);
  });

  it('begins again in a fork in which what was cancelled stays so, unless its goal was', async () => {
    const drover = await bed.start();
    await drover.agent('work', () => null);
    const tasks = [
      { name: 'a', capability: 'work' },
      { name: 'unwanted', capability: 'nobody' },
      { name: 'behind', capability: 'work', needs: ['unwanted'] },
    ];
    const goal = await drover.enqueue({ title: 'Given up', tasks });
    await drover.cancel('task-2');
    expect((await goal.done()).state).toBe('DONE');
    await drover.rerun('task-1', { fork: true });
    const fork = await drover.goal('goal-2').done();
    expect(fork.tasks.map(({ state }) => state)).toEqual(['DONE', 'CANCELLED', 'CANCELLED']);
    const other = await drover.enqueue({ title: 'Given up as a whole', tasks });
    await drover.cancel(other.id);
    await drover.rerun('task-7', { fork: true });
    const whole = drover.goal('goal-4');
    await expect.poll(async () => (await whole.report()).tasks[0]!.state).toBe('DONE');
    expect((await whole.report()).tasks.map(({ state }) => state)).toEqual([
      'DONE',
      'PENDING',
      'BACKLOG',
    ]);
    await agree(drover);
    expect(bed.errors).toEqual([]);
  });

  it('begins again in a fork that knows the signals of its goal', async () => {
    const drover = await bed.start();
    await drover.agent('work', (task) => task.signals());
    const waiting = { name: 'w', capability: 'work', wait: { signal: 'go' } };
    const goal = await drover.enqueue({ title: 'Signalled', tasks: [waiting] });
    await drover.signal('goal-1', 'go', { build: 7 });
    await goal.done();
    await drover.rerun('task-1', { fork: true });
    const { tasks } = await drover.goal('goal-2').done();
    expect(tasks).toMatchObject([{ state: 'DONE', result: { go: { build: 7 } } }]);
    await agree(drover);
  });

  it('begins again in a fork that takes over what was finished', async () => {
    const drover = await bed.start();
    const runs: string[] = [];
    await drover.agent('work', (task) => {
      runs.push(`${task.goal.id} ${task.name}`);
      return say(task);
    });
    const goal = await drover.enqueue({ title: 'Fork', tasks: diamond });
    await goal.done();
    const before = await results(drover, 'goal-1');
    const options = { fork: true, key: 'once', changes: { with: { say: 9 } } };
    const fork = await drover.rerun('task-3', options);
    expect(await drover.rerun('task-3', options)).toEqual(fork);
    expect(fork.goal).toBe('goal-2');
    await drover.goal('goal-2').done();
    expect(runs.slice(4)).toEqual(['goal-2 c', 'goal-2 d']);
    expect(await results(drover, 'goal-1')).toEqual(before);
    expect(await results(drover, 'goal-2')).toMatchObject({ b: before['b'], c: { say: 9 } });
    await agree(drover);
  });
});

describe('a task of a goal that runs', () => {
  it('begins again while what builds on it waits or runs; what ran is aborted', async () => {
    const drover = await bed.start();
    const aborted: string[] = [];
    let hold = true;
    await drover.agent('work', async (task) => {
      if (task.name === 'd' || !hold || task.name === 'a') return say(task);
      await new Promise<void>((resolve) => {
        task.signal.addEventListener('abort', () => {
          aborted.push(task.name);
          resolve();
        });
      });
      return null;
    });
    const goal = await drover.enqueue({ title: 'Running', tasks: diamond });
    const begun = (name: string) => async () =>
      (await goal.report()).tasks.find((task) => task.name === name)!.state === 'ACTIVE';
    await expect.poll(begun('b')).toBe(true);
    await expect.poll(begun('c')).toBe(true);
    hold = false;
    await drover.rerun('task-1', { changes: { with: { say: 5 } } });
    expect((await goal.done()).state).toBe('DONE');
    // Each hears of it by itself, whenever that is.
    await expect.poll(() => aborted.toSorted()).toEqual(['b', 'c']);
    expect(await results(drover, 'goal-1')).toMatchObject({
      d: { saw: { b: { saw: { a: { say: 5 } } } } },
    });
    await agree(drover);
  });

  it('begins again without its journal, or with it where asked', async () => {
    const drover = await bed.start();
    let steps = 0;
    await drover.agent('work', (task) => task.step('count', () => (steps += 1)));
    const goal = await drover.enqueue({ title: 'Steps', tasks: [diamond[0]!] });
    await goal.done();
    await drover.rerun('task-1', { keepSteps: true });
    expect((await goal.done()).tasks[0]!.result).toBe(1);
    await drover.rerun('task-1');
    expect((await goal.done()).tasks[0]!.result).toBe(2);
    await agree(drover);
  });
});

it('a rollback to between the two merges of a task that was run again undoes the later one alone', async () => {
  const dataDir = bed.folder();
  const projectsDir = join(dataDir, 'projects');
  const drover = await bed.start({ dataDir, projectsDir });
  await drover.agent('shell', 'shell');
  const shell = (name: string, ...needs: string[]) => ({
    name,
    capability: 'shell',
    run: `date +%s%N > ${name}`,
    needs,
  });
  const tasks = [shell('a'), shell('b', 'a'), shell('c')];
  const goal = await drover.enqueue({ title: 'Again', project: 'shop', tasks });
  expect((await goal.done()).state).toBe('DONE');
  const view = () => drover.ledger.board.goal('goal-1')!;
  const last = view().tasks.get('task-2')!.commit!;
  await drover.rerun('task-2', { why: 'wrong' });
  expect((await goal.done()).state).toBe('DONE');
  expect(view().tasks.get('task-2')!.commit).not.toBe(last);
  await drover.rollback('goal-1', last, 'better before');
  expect((await goal.done()).state).toBe('DONE');
  const environment = { PATH: process.env['PATH'] };
  const projects = new Projects({ projectsDir, dataDir, environment });
  const { disagreements, heard } = await audit({
    log: drover.ledger.log,
    projects,
    running: true,
    patience: PATIENCE,
  });
  expect({ disagreements, git: heard.includes('git') }).toEqual({ disagreements: [], git: true });
});
