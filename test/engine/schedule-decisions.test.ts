/** What a schedule leads to, decided on a real log with a clock of the test's own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { auditSchedules } from '../../src/engine/audit/schedules.js';
import { decide } from '../../src/engine/decisions/decide.js';
import { Ledger } from '../../src/engine/recording/ledger.js';
import { Log } from '../../src/log/log.js';
import { loadSchedule } from '../../src/projections/schedules.js';
import { checkCron, nextDue } from '../../src/queues/cron.js';

const root = mkdtempSync(join(tmpdir(), 'drover-schedules-'));
const START = Date.parse('2026-03-01T12:00:30Z');
const MINUTE = 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: START }));
afterEach(() => void vi.useRealTimers());
afterAll(() => rmSync(root, { recursive: true, force: true }));

function stage() {
  const log = Log.open(mkdtempSync(join(root, 'data-')));
  const ledger = new Ledger(log);
  const ask = (name: string, input: object): unknown =>
    decide(ledger, { name, input, by: 'tester' }, { check: checkCron, next: nextDue }).decision;
  return {
    log,
    ledger,
    ask,
    add: (more: object = {}) =>
      ask('scheduleAdd', {
        name: 'nightly',
        cron: '* * * * *',
        tz: 'UTC',
        goal: { title: 'Clean up', tasks: [{ name: 'a', capability: 'shell', run: 'ls' }] },
        ...more,
      }),
    /** Asks at a moment; answers with the goals that began. */
    fire: (minutes: number, due?: number): readonly string[] => {
      vi.setSystemTime(START + minutes * MINUTE);
      const { created } = ask('scheduleFire', { schedule: 'nightly', ...(due && { due }) }) as {
        created: string[];
      };
      // Whatever happens, the row is the fold and no time has fired twice.
      expect(auditSchedules(log)).toEqual([]);
      return created;
    },
    end: (goal: string) => ask('cancel', { goal }),
    view: () => loadSchedule(log.db, 'nightly'),
    events: () =>
      [...log.events({ goal: 'schedule/nightly' })].map(({ event, ...entry }) => ({
        by: entry.by,
        ...event,
      })),
  };
}

describe('a schedule', () => {
  it('begins one goal for each time, however often it is asked', () => {
    const { add, fire, end, ledger, events } = stage();
    add();
    expect(fire(0)).toEqual([]);
    expect(fire(1)).toEqual(['goal-1']);
    expect(fire(1)).toEqual([]);
    expect(fire(1.2)).toEqual([]);
    const goal = ledger.board.goal('goal-1')!;
    expect(goal).toMatchObject({
      by: 'schedule nightly',
      key: 'schedule nightly 2026-03-01T12:01:00.000Z',
      title: 'Clean up',
    });
    end('goal-1');
    expect(fire(2)).toEqual(['goal-2']);
    expect(events().map(({ type }) => type)).toEqual([
      'schedule.added',
      'schedule.fired',
      'schedule.fired',
    ]);
  });

  it('that was promoted by hand brings its next time forward, and no other', () => {
    const { add, fire, end } = stage();
    add();
    const next = START + MINUTE / 2;
    expect(fire(0, next + 5 * MINUTE)).toEqual([]);
    expect(fire(0, next)).toEqual(['goal-1']);
    end('goal-1');
    expect(fire(0.6)).toEqual([]);
    expect(fire(1.6)).toEqual(['goal-2']);
  });

  it('is paused and resumed without making up for what was due meanwhile; a removed one is over', () => {
    const { add, ask, fire, view } = stage();
    add();
    ask('schedulePause', { schedule: 'nightly', why: 'release' });
    expect(() => ask('schedulePause', { schedule: 'nightly' })).toThrow('paused already');
    expect(fire(5)).toEqual([]);
    ask('scheduleResume', { schedule: 'nightly' });
    expect(fire(5)).toEqual([]);
    expect(fire(6)).toEqual(['goal-1']);
    ask('scheduleRemove', { schedule: 'nightly' });
    expect(fire(9)).toEqual([]);
    expect(view()).toBeUndefined();
    expect(() => ask('scheduleRun', { schedule: 'nightly' })).toThrow('no schedule ‘nightly’');
  });

  it('is not taken for another of its name, unless it takes its place', () => {
    const { add, fire, view } = stage();
    add();
    expect(() => add()).toThrow('"* * * * *" in UTC');
    add({ replace: true, cron: '*/2 * * * *', tz: 'Europe/Berlin' });
    expect(view()).toMatchObject({ cron: '*/2 * * * *', tz: 'Europe/Berlin' });
    expect(fire(1)).toEqual([]);
    expect(fire(2)).toEqual(['goal-1']);
  });

  it('with times or a plan that make no sense is refused with what is wrong', () => {
    const { add, log } = stage();
    for (const [input, message] of [
      [{ cron: '61 * * * *' }, '0-59'],
      [{ cron: '* * *' }, '3 fields'],
      [{ cron: '' }, 'is empty'],
      [{ cron: '0 2 30 2 *' }, 'cannot be read'],
      [{ cron: 'H 2 * * *' }, 'an H'],
      [{ cron: '@often' }, '1 field instead'],
      [{ tz: 'Mars/Olympus' }, 'no time zone ‘Mars/Olympus’'],
      [{ goal: { title: 'x', tasks: [] } }, 'no tasks'],
      [{ name: '../up' }, 'must be a letter'],
    ] as const) {
      expect(() => add(input)).toThrow(message);
    }
    expect(log.lastSeq()).toBe(0);
  });
});

describe('while the goal before is open', () => {
  it('`skip` leaves it out and says so', () => {
    const { add, fire, end, view } = stage();
    add();
    expect(fire(1)).toEqual(['goal-1']);
    expect(fire(2)).toEqual([]);
    expect(view()!.remark).toBe('goal-1 was still open');
    end('goal-1');
    expect(fire(3)).toEqual(['goal-2']);
    expect(view()!.remark).toBeNull();
  });

  it('`queue` lets it wait, in order, and begin when the goal has ended', () => {
    const { add, ask, fire, end, view } = stage();
    add({ overlap: 'queue' });
    expect(fire(1)).toEqual(['goal-1']);
    expect(fire(2)).toEqual([]);
    expect(ask('scheduleRun', { schedule: 'nightly' })).toMatchObject({ created: [] });
    expect(view()!.queued).toEqual([START + 1.5 * MINUTE, null]);
    end('goal-1');
    ask('schedulePause', { schedule: 'nightly' });
    expect(fire(2.1)).toEqual(['goal-2']);
    expect(fire(2.2)).toEqual([]);
    end('goal-2');
    expect(fire(2.3)).toEqual(['goal-3']);
    expect(view()!.queued).toEqual([]);
  });

  it('`cancel` gives the goal up for the new one', () => {
    const { add, ask, fire, ledger } = stage();
    add({ overlap: 'cancel' });
    expect(fire(1)).toEqual(['goal-1']);
    expect(fire(2)).toEqual(['goal-2']);
    expect(ledger.board.goal('goal-1')!.state).toBe('CANCELLED');
    expect(ask('scheduleRun', { schedule: 'nightly' })).toMatchObject({
      created: ['goal-3'],
      cancelled: ['goal-2'],
    });
  });

  it('one that somebody asks for is refused where it would be skipped', () => {
    const { add, ask, fire } = stage();
    add();
    fire(1);
    expect(() => ask('scheduleRun', { schedule: 'nightly' })).toThrow('goal-1 of the schedule');
  });
});

describe('after a time in which nobody was there', () => {
  const types = (here: ReturnType<typeof stage>): string[] =>
    here
      .events()
      .map(({ type }) => type)
      .slice(1);

  it('`once` makes up for the last, and tells how many were missed', () => {
    const here = stage();
    here.add({ catchUp: 'once' });
    expect(here.fire(60)).toEqual(['goal-1']);
    expect(types(here)).toEqual(['schedule.missed', 'schedule.fired']);
    expect(here.events()[1]).toMatchObject({ count: 59, more: false });
    expect(here.fire(60)).toEqual([]);
  });

  it('`none` lets it be', () => {
    const here = stage();
    here.add({ catchUp: 'none', cron: '0 * * * *' });
    expect(here.fire(150)).toEqual([]);
    expect(types(here)).toEqual(['schedule.missed']);
    expect(here.fire(179.6)).toEqual(['goal-1']);
  });

  it('`all` begins them in turn, up to a hundred', () => {
    const here = stage();
    here.add({ catchUp: 'all', overlap: 'queue' });
    expect(here.fire(3)).toEqual(['goal-1']);
    expect(here.view()!.queued).toHaveLength(2);
    here.end('goal-1');
    const year = 365 * 24 * 60;
    expect(here.fire(year)).toEqual(['goal-2']);
    expect(here.view()!.queued.length).toBeLessThanOrEqual(100);
    expect(here.view()!.accounted).toBe(START + year * MINUTE - MINUTE / 2);
  });

  it('one that cancels begins the last of them only', () => {
    const here = stage();
    here.add({ catchUp: 'all', overlap: 'cancel' });
    expect(here.fire(3)).toEqual(['goal-1']);
    expect(types(here)).toEqual(['schedule.skipped', 'schedule.skipped', 'schedule.fired']);
  });
});

describe('when the clocks change', () => {
  const days = (from: string, count: number): string[] => {
    const times: string[] = [];
    for (let at = Date.parse(from); times.length < count;) {
      at = nextDue({ cron: '30 2 * * *', tz: 'Europe/Berlin' }, at)!;
      times.push(new Date(at).toISOString());
    }
    return times;
  };

  it('a time that is left out comes an hour later, one that is repeated comes once', () => {
    expect(days('2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:30:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
    expect(days('2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
  });
});
