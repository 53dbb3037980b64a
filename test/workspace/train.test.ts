import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runTrain, type Track, type Verdict, type Wagon } from '../../src/workspace/train.js';

interface Car extends Wagon {
  /** Tasks with which it cannot be merged. */
  readonly conflicts: readonly string[];
  /** Tasks in whose company its checks fail; its own name: always. */
  readonly breaks: readonly string[];
}

type Ended = Verdict<string, string>;

/** A branch as a list of commits, each of which says which tasks it has. */
function line(options: { races?: number; stale?: readonly string[] } = {}) {
  let races = options.races ?? 0;
  const commits = new Map<string, readonly Car[]>([['c0', []]]);
  let branch = 'c0';
  const inspected: string[][] = [];
  const named = (commit: string): readonly Car[] => commits.get(commit)!;
  const make = (cars: readonly Car[]): string => {
    const commit = `c${commits.size}`;
    commits.set(commit, cars);
    return commit;
  };
  const works = (cars: readonly Car[]): boolean =>
    !cars.some(({ breaks }) => cars.some(({ task }) => breaks.includes(task)));
  const track: Track<Car, string, string> = {
    tip: async () => branch,
    merged: async ({ task }) =>
      named(branch).some((car) => car.task === task) ? `merge of ${task}` : undefined,
    couple: async (onto, car) => {
      const there = named(onto);
      const clash = there.find(
        ({ task, conflicts }) => car.conflicts.includes(task) || conflicts.includes(car.task),
      );
      return clash ? { refusal: clash.task } : { commit: make([...there, car]) };
    },
    inspect: async (commit, cars) => {
      inspected.push(cars.map(({ task }) => task));
      return { passed: works(named(commit)), evidence: `checks of ${commit}` };
    },
    advance: async (from, to, cars) => {
      if (races > 0) {
        races -= 1;
        // Somebody else's commit, with nothing in it.
        branch = make(named(branch));
      }
      if (branch !== from) return 'lost-race';
      const stale = cars.filter(({ task }) => options.stale?.includes(task));
      if (stale.length > 0) return stale;
      branch = to;
      return 'moved';
    },
  };
  const verdicts = new Map<string, Ended>();
  const settle = async (car: Car, verdict: Ended): Promise<void> => {
    expect(verdicts.has(car.task)).toBe(false);
    verdicts.set(car.task, verdict);
  };
  return {
    track,
    settle,
    verdicts,
    inspected,
    landed: () => named(branch).map(({ task }) => task),
    works: () => works(named(branch)),
  };
}

/** As when somebody else's move came between, and was taken back. */
function loseOnce(advance: Track<Car, string, string>['advance']): typeof advance {
  let lost = false;
  return async (...given) => {
    if (lost) return advance(...given);
    lost = true;
    return 'lost-race';
  };
}

const car = (task: string, more: Partial<Car> = {}): Car => ({
  task,
  claim: 1,
  conflicts: [],
  breaks: [],
  ...more,
});

/** Each choice of so many of the tasks at most. */
function placesOf(tasks: readonly string[], most: number): string[][] {
  if (most === 0 || tasks.length === 0) return [[]];
  const [first, ...rest] = tasks;
  return [
    ...placesOf(rest, most),
    ...placesOf(rest, most - 1).map((others) => [first!, ...others]),
  ];
}

describe('a merge train', () => {
  it('lands what is green together with one inspection', async () => {
    const { track, settle, verdicts, inspected, landed } = line();
    await runTrain(
      track,
      ['a', 'b', 'c'].map((task) => car(task)),
      settle,
    );
    expect(landed()).toEqual(['a', 'b', 'c']);
    expect(inspected).toEqual([['a', 'b', 'c']]);
    expect(verdicts.get('b')).toMatchObject({ kind: 'merged', together: ['a', 'b', 'c'] });
  });

  it('finds the one that breaks it, lands the others and gives it the evidence', async () => {
    const { track, settle, verdicts, inspected, landed } = line();
    const cars = 'abcdefgh'
      .split('')
      .map((task) => car(task, task === 'e' ? { breaks: ['e'] } : {}));
    await runTrain(track, cars, settle);
    expect(landed()).toEqual('abcdfgh'.split(''));
    expect(verdicts.get('e')).toMatchObject({ kind: 'failed', behind: 'abcd'.split('') });
    // All eight, three to find it among them, and those behind it once more.
    expect(inspected.length).toBe(5);
  });

  it('tests a train whole, and no more than a third of it at once after it has failed', async () => {
    const tasks = 'abcdefghijklmnop'.split('');
    const runs: Record<number, number[]> = {};
    for (const culprits of placesOf(tasks, 3)) {
      const { track, settle, verdicts, inspected, landed } = line();
      const cars = tasks.map((task) =>
        car(task, culprits.includes(task) ? { breaks: [task] } : {}),
      );
      await runTrain(track, cars, settle);
      expect(landed()).toEqual(tasks.filter((task) => !culprits.includes(task)));
      for (const task of culprits) expect(verdicts.get(task)!.kind).toBe('failed');
      (runs[culprits.length] ??= []).push(inspected.length);
    }
    const mean = ([, all]: [string, number[]]): number =>
      Math.round((all.reduce((sum, one) => sum + one, 0) / all.length) * 100) / 100;
    // Always testing all that is left took 5.94, 10.17 and 14.03; one by one it would be 16.
    expect(Object.entries(runs).map(mean)).toEqual([1, 6.81, 9.88, 12.92]);
  });

  it('lets a wagon that conflicts with one before it wait for whether that one lands', async () => {
    const { track, settle, verdicts, landed } = line();
    await runTrain(
      track,
      [car('a', { breaks: ['a'] }), car('b', { conflicts: ['a'] }), car('c', { conflicts: ['b'] })],
      settle,
    );
    expect(landed()).toEqual(['c']);
    expect(verdicts.get('a')).toMatchObject({ kind: 'failed' });
    expect(verdicts.get('b')).toEqual({ kind: 'refused', refusal: 'c' });
  });

  it('starts again on the new tip when it loses a race', async () => {
    const { track, settle, inspected, landed } = line({ races: 2 });
    await runTrain(track, [car('a'), car('b')], settle);
    expect(landed()).toEqual(['a', 'b']);
    expect(inspected.length).toBe(3);
  });

  it('says once that a wagon cannot be merged, though the others lose a race', async () => {
    const { track, settle, verdicts, landed } = line();
    await runTrain(track, [car('a')], settle);
    verdicts.clear();
    const again = { ...track, advance: loseOnce(track.advance) };
    await runTrain(again, [car('b', { conflicts: ['a'] }), car('c')], settle);
    expect(landed()).toEqual(['a', 'c']);
    expect(verdicts.get('b')).toEqual({ kind: 'refused', refusal: 'a' });
  });

  it('leaves out a wagon whose claim has lost its task', async () => {
    const { track, settle, verdicts, landed } = line({ stale: ['b'] });
    await runTrain(track, [car('a'), car('b'), car('c')], settle);
    expect(landed()).toEqual(['a', 'c']);
    expect(verdicts.get('b')).toEqual({ kind: 'stale' });
  });

  it('recognises what was merged by a train that did not live to say so', async () => {
    const { track, settle, verdicts, inspected } = line();
    await runTrain(track, [car('a')], settle);
    verdicts.clear();
    await runTrain(track, [car('a')], settle);
    expect(verdicts.get('a')).toMatchObject({
      kind: 'merged',
      commit: 'merge of a',
      evidence: null,
    });
    expect(inspected.length).toBe(1);
  });

  it('gives every wagon one verdict and never moves the branch to what fails', async () => {
    const tasks = 'abcdefghij'.split('');
    const some = fc.subarray(tasks, { maxLength: 2 });
    const cars = fc.tuple(
      ...tasks.map((task) =>
        fc.record({ conflicts: some, breaks: some, races: fc.boolean() }).map((more) => ({
          ...car(task),
          conflicts: more.conflicts.filter((other) => other !== task),
          breaks: more.breaks,
        })),
      ),
    );
    await fc.assert(
      fc.asyncProperty(cars, fc.nat(3), some, async (all, races, stale) => {
        const { track, settle, verdicts, landed, works } = line({ races, stale });
        await runTrain(track, all, settle);
        expect([...verdicts.keys()].toSorted()).toEqual(tasks);
        expect(works()).toBe(true);
        const merged = tasks.filter((task) => verdicts.get(task)!.kind === 'merged');
        expect(landed().toSorted()).toEqual(merged);
        for (const task of stale) expect(verdicts.get(task)!.kind).not.toBe('merged');
      }),
    );
  });
});
