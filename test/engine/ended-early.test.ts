/** Tasks that people end before Redis hears of them have no jobs; what builds on them waits nevertheless. */
import { describe, expect, it } from 'vitest';
import { type Control, controlBy } from '../../src/engine/control.js';
import { askOffline, enqueueOffline } from '../../src/engine/offline.js';
import type { Drover } from '../../src/engine/drover.js';
import { testBed } from '../support/redis.js';
import { agree } from './steering-support.js';

const bed = testBed();

/** a → b → d ← c, with what people are asked about a. */
const tasks = [
  { name: 'a', capability: 'work', approve: 'before' as const },
  { name: 'b', capability: 'work', needs: ['a'] },
  { name: 'c', capability: 'work' },
  { name: 'd', capability: 'work', needs: ['b', 'c'] },
];

const ENDS: [what: string, end: (control: Control) => Promise<unknown>][] = [
  ['refused', (control) => control.reject('task-1', 'no', { end: true })],
  ['cancelled', (control) => control.cancel('task-1', 'no', { dependents: 'block' })],
];
const REMEDIES: [what: string, mend: (drover: Drover) => Promise<unknown>][] = [
  ['skipped', (drover) => drover.skip('task-1')],
  [
    'run again',
    async (drover) => {
      await drover.rerun('task-1');
      await drover.approve('task-1');
    },
  ],
];

describe.each(ENDS)('a task that was %s before its goal was submitted', (_, end) => {
  it.each(REMEDIES)('lets what builds on it go on once it is %s', async (_remedy, mend) => {
    const dataDir = bed.folder();
    enqueueOffline(dataDir, { title: 'Early', tasks });
    await end(controlBy(askOffline(dataDir)));
    const drover = await bed.start({ dataDir });
    await drover.agent('work', () => null);
    const goal = drover.goal('goal-1');
    expect((await goal.done()).text).toContain('Stuck: 1/4');
    await agree(drover);
    await mend(drover);
    expect((await goal.done()).state).toBe('DONE');
    await agree(drover);
    expect(bed.errors).toEqual([]);
  });
});

describe('a goal of which all was refused before it was submitted', () => {
  it('is stuck, and begins when it is tried again and approved', async () => {
    const dataDir = bed.folder();
    enqueueOffline(dataDir, { title: 'Early', approve: 'before', tasks: tasks.slice(2, 3) });
    await controlBy(askOffline(dataDir)).reject('goal-1', 'no', { end: true });
    const drover = await bed.start({ dataDir });
    await drover.agent('work', () => null);
    await agree(drover);
    expect(await drover.retry('task-1')).toMatchObject({ asked: 'goal-1' });
    await drover.approve('goal-1');
    expect((await drover.goal('goal-1').done()).state).toBe('DONE');
    await agree(drover);
    expect(bed.errors).toEqual([]);
  });
});
