/** People steer goals from the command line, beside a supervisor and without one. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Place, places, taskStates, until } from './support.js';

const place = places();

const RELEASE = `
name: Release
tasks:
  build: { run: echo built }
  deploy: { needs: build, run: echo out, approve: before }
  announce: { needs: deploy, run: echo told, wait: { signal: deployed } }
`;

const json = async (here: Place, args: string[]): Promise<unknown> => {
  const { out, code } = await here.drover([...args, '--json']);
  expect(code).toBe(0);
  return JSON.parse(out);
};

describe('a release that waits for people', () => {
  it('is approved, signalled, grown, paused and run again', async () => {
    const here = await place();
    const up = here.start(['up', '--port', '0']);
    await up.says(/Bull Board/);
    await here.drover(['enqueue', await here.flow(RELEASE)]);
    await until(() => taskStates(here, 'goal-1')[0] === 'DONE');
    expect(await json(here, ['inbox'])).toMatchObject({
      items: [{ kind: 'approval', id: 'task-2', goal: 'goal-1', deadline: null }],
    });
    const shown = (await here.drover(['status', 'goal-1'])).out;
    expect(shown).toMatch(/task-2 .*waits for approval/);
    expect(shown).toMatch(/task-3 .*waits for deploy, signal deployed/);
    expect((await here.drover(['inbox'])).out).toMatch(/approval +task-2 +goal-1.*deploy/);
    expect(await here.drover(['approve', 'task-2', '--note', 'go'])).toMatchObject({ code: 0 });
    expect(await here.drover(['approve', 'task-2'])).toMatchObject({ code: 2 });
    await until(() => taskStates(here, 'goal-1')[1] === 'DONE');
    await here.drover(['pause', 'goal-1', '--why', 'lunch']);
    expect(await json(here, ['status'])).toMatchObject({
      goals: [{ goal: 'goal-1', paused: true, text: 'Paused: 2/3 tasks complete' }],
      waiting: [{ task: 'task-3', gates: [{ kind: 'signal', name: 'deployed' }] }],
      pauses: [],
    });
    const path = await here.drover(['signal', 'goal-1', 'deployed', '--data', '.drover']);
    expect(path.code).toBe(2);
    expect(path.err).toMatch(/‘\.drover’ is none\..*--data-dir/s);
    const more = join(here.dir, 'more.yaml');
    await writeFile(more, 'name: More\ntasks: { clean: { run: echo clean } }\n');
    expect(await json(here, ['add', 'goal-1', more, '--after', 'announce'])).toMatchObject({
      added: { clean: 'task-4' },
    });
    await here.drover(['edit', 'task-4', '--run', 'echo cleaner']);
    await writeFile(more, 'name: More\ntasks: { all: { needs: [build, task-4], run: "true" } }\n');
    expect(await json(here, ['add', 'goal-1', more])).toMatchObject({ added: { all: 'task-5' } });
    await writeFile(more, 'name: More\ntasks: { none: { needs: nobody, run: "true" } }\n');
    expect(await here.drover(['add', 'goal-1', more])).toMatchObject({
      code: 2,
      err: expect.stringContaining('‘none’ needs ‘nobody’, which does not exist'),
    });
    expect(await here.drover(['signal', 'goal-1', 'deployed', '--data', '{"v":3}'])).toMatchObject({
      code: 0,
    });
    await here.drover(['resume', 'goal-1']);
    await until(() => taskStates(here, 'goal-1').every((state) => state === 'DONE'));
    expect(await json(here, ['rerun', 'task-1', '--fork'])).toMatchObject({ goal: 'goal-2' });
    expect(await json(here, ['inbox'])).toMatchObject({ items: [{ id: 'task-7' }] });
    const audit = await here.drover(['audit']);
    expect(audit).toMatchObject({ code: 0 });
    up.child.kill('SIGTERM');
    await up.ended;
    const logs = (await here.drover(['logs', 'goal-1'])).out;
    for (const words of ['approved: go', 'paused: lunch', 'signal ‘deployed’', 'run changed']) {
      expect(logs).toContain(words);
    }
  });
});
