/** Pauses and limits of names that nobody knows are kept, with a word of warning. */
import { expect, it, onTestFinished } from 'vitest';
import { Log } from '../../src/log/log.js';
import { listPauses } from '../../src/projections/pauses.js';
import { places } from './support.js';

const place = places();

const FLOW = 'name: Build\nproject: shop\ntasks: { a: { capability: builder, with: {} } }\n';

it('says who is meant, probably, and does what it was asked for', async () => {
  const here = await place();
  await here.drover(['enqueue', await here.flow(FLOW)]);
  const pause = async (...scope: string[]) => (await here.drover(['pause', ...scope])).out;
  expect(await pause('--capability', 'bilder')).toMatch(
    /^Capability bilder is paused\.\nNo open task needs the capability ‘bilder’\. Did you mean ‘builder’\?\n/,
  );
  expect(await pause('--project', 'shopp')).toMatch(
    /^Project shopp is paused\.\nNo project is called ‘shopp’ so far, and no goal is in it\. Did you mean ‘shop’\?\n/,
  );
  expect(
    (await here.drover(['limit', 'capability', 'bilder', '--concurrency', '2'])).out,
  ).toContain('Did you mean ‘builder’?');
  // What is known, or is likely to be offered when a supervisor starts.
  expect(await pause('--capability', 'builder')).not.toContain('No open task');
  expect(await pause('--capability', 'shell')).not.toContain('No open task');
  expect(await pause('--project', 'shop')).not.toContain('No project');
  const log = Log.read(here.data);
  onTestFinished(() => log.close());
  expect(listPauses(log.db).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['bilder', 'shopp', 'builder', 'shell', 'shop']),
  );
});

it('asks agents as well, where there is a Redis to ask', async () => {
  const here = await place();
  const up = here.start(['up', '--port', '0', '--agents', 'painter']);
  await up.says(/Bull Board/);
  const pause = async (name: string) => (await here.drover(['pause', '--capability', name])).out;
  expect(await pause('painter')).toBe('Capability painter is paused.\n');
  expect(await pause('welder')).toBe(
    'Capability welder is paused.\nNo open task needs the capability ‘welder’, and nobody offers it.\n',
  );
  up.child.kill('SIGTERM');
  await up.ended;
});
