/** `drover schedule` without a supervisor, and beside one. */
import { expect, it } from 'vitest';
import { GOOD, places, taskStates, until } from './support.js';

const place = places();

it('is recorded without a supervisor, and fires with the next one', async () => {
  const here = await place();
  const flow = await here.flow(GOOD, 'often.yaml');
  const added = await here.drover(['schedule', 'add', '* * * * * *', flow, '--tz', 'UTC']);
  expect(added).toMatchObject({
    code: 0,
    out: expect.stringMatching(/often begins .*UTC[^]*drover up/),
  });
  expect(added.out).not.toContain('missed');
  const all = ['schedule', 'add', '@daily', flow, '--name', 'all', '--catch-up', 'all'];
  expect((await here.drover(all)).out).toContain('with --overlap queue all do');
  expect((await here.drover([...all, '--replace', '--overlap', 'cancel'])).out).toContain(
    'with --overlap queue all run',
  );
  const queued = await here.drover([...all, '--replace', '--overlap', 'queue']);
  expect(queued.out).not.toContain('missed');
  await here.drover(['schedule', 'remove', 'all']);
  const again = await here.drover(['schedule', 'add', '@daily', flow]);
  expect(again).toMatchObject({ code: 2, err: expect.stringContaining('--replace') });
  expect((await here.drover(['schedule', 'list'])).out).toMatch(/often +"\* \* \* \* \* \*" UTC/);
  const up = here.start(['up', '--port', '0']);
  await up.says(/Bull Board/);
  await until(() => taskStates(here, 'goal-1').at(-1) === 'DONE');
  expect(await here.drover(['schedule', 'pause', 'often', '--why', 'enough'])).toMatchObject({
    code: 0,
  });
  const { out } = await here.drover(['schedule', 'list', '--json']);
  expect(JSON.parse(out)).toMatchObject({
    schedules: [{ name: 'often', paused: true, next: null }],
  });
  expect((await here.drover(['logs'])).out).toMatch(/schedule paused: enough/);
  const gone = await here.drover(['schedule', 'remove', 'often']);
  expect(gone).toMatchObject({ code: 0, out: 'often is removed.\n' });
  expect((await here.drover(['audit'])).code).toBe(0);
});

it('says what is wrong with times, zones and names, and records nothing', async () => {
  const here = await place();
  const flow = await here.flow(GOOD);
  const refused = async (...args: string[]): Promise<string> => {
    const { code, err } = await here.drover(['schedule', ...args]);
    expect(code).toBe(2);
    return err;
  };
  expect(await refused('add', '99 * * * *', flow)).toContain('"0 2 * * *"');
  expect(await refused('add', 'daily', flow)).toContain('has 1 field instead of five');
  expect(await refused('add', '@daily', flow, '--tz', 'Berlin')).toContain('Europe/Berlin');
  expect(await refused('add', '@daily', flow, '--overlap', 'skp')).toContain('Did you mean skip?');
  expect(await refused('add', '@daily', `${flow}.none`, '--name', 'x')).toContain('no file');
  expect(await refused('list')).toContain('no log');
});
