/** `drover status` says what each task waits for, in a goal that waits for everything at once. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { GoalReport } from '../../src/projections/report.js';
import { places, taskStates, until } from './support.js';

const place = places();

const HOLD = 'until test -e @/go; do sleep 0.05; done';
const FLOW = `
name: Waits
tasks:
  holds: { run: "${HOLD}", concurrency: { key: db, limit: 1 }, priority: high }
  slot: { run: echo slot, concurrency: { key: db, limit: 1 } }
  nobody: { run: echo nobody, capability: nobody, optional: true }
  tests: { run: "${HOLD}", capability: tester, priority: high }
  tests-too: { run: echo two, capability: tester }
  first: { run: echo first, capability: developer, priority: high }
  second: { run: echo second, capability: developer }
  builds: { run: "${HOLD}", capability: builder, priority: high }
  builds-next: { run: echo next, capability: builder, priority: normal }
  builds-last: { run: echo last, capability: builder, priority: low }
`;

it('a slot and who holds it, a limit, a rate, agents, its turn, a pause', async () => {
  const here = await place();
  const up = here.start(['up', '--port', '0']);
  await up.says(/Bull Board/);
  const builder = here.start(['agent', 'builder', '--concurrency', '1']);
  await builder.says(/Offers builder/);
  await here.drover(['limit', 'capability', 'tester', '--concurrency', '1']);
  await here.drover(['limit', 'capability', 'developer', '--rate', '1/h']);
  expect(await here.drover(['enqueue', await here.flow(FLOW)])).toMatchObject({ code: 0 });
  let report: GoalReport;
  const waits = (): unknown[] => report.tasks.map((task) => task.waits);
  const look = async (): Promise<void> => {
    const { out } = await here.drover(['status', 'goal-1', '--json']);
    report = JSON.parse(out) as GoalReport;
  };
  await until(async () => {
    await look();
    const { ACTIVE, DONE } = report.counts;
    return ACTIVE === 3 && DONE === 1 && report.tasks[1]!.heldBy !== null;
  });
  expect(waits()).toEqual([
    null,
    { kind: 'limit', of: 'key db', limit: 1, by: ['task-1'] },
    { kind: 'agents', of: 'nobody' },
    null,
    { kind: 'limit', of: 'capability tester', limit: 1, by: ['task-4'] },
    null,
    { kind: 'rate', of: 'developer', next: expect.any(Number) },
    null,
    null,
    { kind: 'turn', ahead: 1 },
  ]);
  const { out } = await here.drover(['status', 'goal-1']);
  for (const line of [
    /slot .*waits for a slot of key db \(limit 1, held by task-1\)/,
    /nobody .*no agent offers nobody/,
    /tests-too .*waits for capability tester: limit 1, 1 running/,
    /second .*waits for capability developer: its rate is used up, the next begins in/,
    /builds-last .*behind 1 other/,
  ])
    expect(out).toMatch(line);
  await here.drover(['pause', '--capability', 'builder']);
  await look();
  expect(waits().at(-1)).toEqual({ kind: 'pause', of: 'capability builder' });
  await here.drover(['resume', '--capability', 'builder']);
  await writeFile(join(here.project, 'go'), '');
  await until(() => taskStates(here, 'goal-1').filter((state) => state === 'DONE').length === 8);
});
