/** `drover import` and `drover export`: files of other systems, flow files and goals. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';
import { type Place, places, taskStates } from './support.js';

const place = places();

const TASKS = JSON.stringify({
  tasks: [
    { id: 1, title: 'First', status: 'done', dependencies: [] },
    { id: 2, title: 'Second', status: 'pending', dependencies: [1] },
    { id: 3, title: 'Third', status: 'pending', dependencies: [2, 7] },
  ],
});

it('writes a flow file and names what does not add up; the flow file is the same plan', async () => {
  const here = await place();
  const file = await here.flow(TASKS, 'tasks.json');
  const out = join(here.dir, 'plan.yaml');
  const written = await here.drover(['import', file, '--out', out, '--capability', 'writer']);
  expect(written).toMatchObject({ code: 0, out: expect.stringContaining('2 tasks') });
  expect(written.err).toMatch(/dangling .*tasks\[2\]\.dependencies.*‘7’/);
  expect(written.err).toContain('taskmaster: 2 tasks to do, 1 done before, 1 remark.');
  // Somebody has agents for it.
  expect(written.err).not.toContain('no command');
  const text = await readFile(out, 'utf8');
  expect((await here.drover(['import', out])).out).toBe(text);
  expect((await here.drover(['export', out])).out).toBe(text);
  const checked = await here.drover(['import', file, '--check', '--json']);
  expect(JSON.parse(checked.out)).toMatchObject({
    format: 'taskmaster',
    tasks: 2,
    satisfied: [{ name: '1' }],
  });
});

it('checks a file: names what is left out and why, and that its tasks have no command', async () => {
  const here = await place();
  const tasks = [
    { id: 1, title: 'First', status: 'pending', dependencies: [] },
    { id: 2, title: 'Second', status: 'cancelled', dependencies: [1] },
  ];
  const file = await here.flow(JSON.stringify({ tasks }), 'tasks.json');
  const checked = await here.drover(['import', file, '--check']);
  expect(checked).toMatchObject({ code: 0, out: '' });
  expect(checked.err).toBe(
    [
      'left out ‘2’: it was cancelled.',
      'taskmaster: 1 task to do, 1 left out.',
      '1 task has no command, and agents of `drover up` run commands only: start agents of your own for developer, or name another capability with --capability.',
      '',
    ].join('\n'),
  );
});

it('enqueues a plan, and exports the goal as the plan that it was', async () => {
  const here = await place();
  const file = await here.flow(TASKS, 'tasks.json');
  const { out } = await here.drover(['import', file, '--enqueue', '--title', 'Work', '--json']);
  expect(JSON.parse(out)).toMatchObject({
    live: false,
    enqueued: { goal: 'goal-1', created: true },
  });
  expect(taskStates(here, 'goal-1')).toEqual(['PENDING', 'BACKLOG']);
  const exported = JSON.parse((await here.drover(['export', 'goal-1', '--json'])).out) as object;
  expect(exported).toMatchObject({
    flow: {
      title: 'Work',
      tasks: [
        { name: '2', needs: [] },
        { name: '3', needs: ['2'] },
      ],
    },
  });
  expect(await here.drover(['export', 'goal-9'])).toMatchObject({ code: 2 });
});

it('exports a goal, imports that and exports it again as the same text', async () => {
  const here = await place();
  const file = await here.flow(`name: Both ways
project: web
priority: high
approve: { default: approve, deadline: 1h }
tasks:
  later: { needs: [10, first], priority: low, expected: 5m, run: ls, timeout: 1m, title: Later }
  10: { optional: true, concurrency: { limit: 2, key: db }, expected: 1s, run: ls }
  first: { capability: writer, with: { b: 1, a: 2 }, retry: { attempts: 2 }, priority: urgent }
`);
  await here.drover(['enqueue', file]);
  const exported = (await here.drover(['export', 'goal-1'])).out;
  const again = await here.flow(exported, 'again.yaml');
  expect((await here.drover(['import', again])).out).toBe(exported);
  expect((await here.drover(['import', file])).out).toBe(exported);
  await here.drover(['import', again, '--enqueue']);
  expect((await here.drover(['export', 'goal-2'])).out).toBe(exported);
});

it('enqueues a flow file as `drover enqueue` does, with all that holds for the whole plan', async () => {
  const plan = (name: string) => `name: ${name}
project: web
priority: urgent
approve: { deadline: 1h, default: approve }
tasks: { a: { run: ls } }
`;
  const [handed, imported] = [await place(), await place()];
  for (const [here, command] of [
    [handed, ['enqueue']],
    [imported, ['import', '--enqueue']],
  ] as const) {
    const own = await here.flow(plan('Own'), 'own.yaml');
    const chosen = await here.flow(plan('Chosen'), 'chosen.yaml');
    expect(await here.drover([...command, own, '--key', 'k'])).toMatchObject({ code: 0 });
    const choices = ['--project', 'shop', '--priority', 'low'];
    expect(await here.drover([...command, chosen, ...choices])).toMatchObject({ code: 0 });
    const again = await here.drover([...command, own, '--key', 'k']);
    expect(again.out).toContain('goal-1 has that key already');
  }
  const planWide = {
    title: 'Own',
    project: 'web',
    priority: 'urgent',
    key: 'k',
    source: 'own.yaml',
  };
  const approve = { when: 'before', deadline: 3_600_000, default: 'approve' };
  expect(headOf(imported, 'goal-1')).toEqual({ ...planWide, approve });
  for (const goal of ['goal-1', 'goal-2']) {
    expect(headOf(imported, goal)).toEqual(headOf(handed, goal));
  }
});

it('refuses what it cannot read with the place and a remedy', async () => {
  const here = await place();
  const file = join(here.dir, 'issues.jsonl');
  await writeFile(file, '{"id":"b-1","title":"One","priority":1}\n{"id":\n');
  const broken = await here.drover(['import', file]);
  expect(broken).toMatchObject({ code: 2, out: '', err: expect.stringContaining('line 2') });
  const unknown = await here.drover(['import', file, '--format', 'bead']);
  expect(unknown.err).toContain('Did you mean beads?');
  expect(await here.drover(['import', file, '--enqueue', '--check'])).toMatchObject({ code: 2 });
  expect((await here.drover(['import', join(here.dir, 'none.json')])).err).toContain('no file');
});

/** What a goal has besides its tasks. */
function headOf({ data }: Place, goal: string): object {
  const log = Log.read(data);
  try {
    const { title, project, priority, key, source, approve } = loadGoal(log.db, goal)!;
    return { title, project, priority, key, source, approve };
  } finally {
    log.close();
  }
}
