/** Invariant 5 with real processes: an agent that is stopped past its lock and continued writes nothing more. */
import { describe, expect, it } from 'vitest';
import { judge, type Plan } from './oracle.js';
import { type CrashPlan, HEIR, QUICK, stage, until } from './support.js';

const set = stage();

interface Case {
  readonly when: string;
  /** Milliseconds that a step takes. */
  readonly ms: number;
  /** Where it stops by itself; in its second step unless given. */
  readonly at?: CrashPlan;
  /** Whose second step counts. */
  readonly second: 'the late one’s' | 'the other’s';
  /** Who begins it. */
  readonly begin: readonly ('late' | 'other')[];
}

const CASES: readonly Case[] = [
  { when: 'in a step', ms: 2_000, second: 'the other’s', begin: ['late', 'other'] },
  {
    when: 'between two steps',
    ms: 50,
    at: { point: 'after:droverWriteClaim', matching: 'step-0', signal: 'SIGSTOP' },
    second: 'the other’s',
    begin: ['other'],
  },
  {
    when: 'with a step all but written',
    ms: 50,
    at: { point: 'before:droverWriteClaim', matching: 'step-1', signal: 'SIGSTOP' },
    second: 'the other’s',
    begin: ['late', 'other'],
  },
  {
    when: 'with its result all but handed in',
    ms: 50,
    at: { point: 'before:droverCompleteClaim', signal: 'SIGSTOP' },
    second: 'the late one’s',
    begin: ['late'],
  },
];

describe('an agent stopped with SIGSTOP past its lock, and continued', () => {
  it.each(CASES)(
    '$when: its late writes are refused, and the new claim’s result stands',
    async ({ ms, at, second, begin }) => {
      const scene = await set();
      const supervisor = await scene.supervisor({ timing: QUICK });
      const plan: Plan = [
        { name: 'slow', capability: 'worker', with: { steps: 2, ms, stubborn: true } },
      ];
      await supervisor.ask('enqueue', { title: 'Late', tasks: plan });
      const stopped = await scene.agent({ timing: QUICK, ...(at && { crash: at }) });
      const begun = (wanted: string) =>
        scene.traces().filter(({ what, step }) => what === 'begin' && step === wanted);
      await until(() => begun(at ? 'step-0' : 'step-1').length > 0);
      if (!at) stopped.signal('SIGSTOP');
      const other = await scene.agent({ timing: HEIR });
      await until(() => scene.traces().some(({ pid }) => pid === other.pid));
      stopped.signal('SIGCONT');
      await supervisor.line(({ ended }) => ended === 'goal-1');
      // The one that was late gets all the time it needs to try.
      await stopped.end();
      await other.end();
      await supervisor.end();
      const { goals, events } = await judge(scene, new Map([['goal-1', plan]]));
      const taken = events.findLastIndex(({ event }) => event.type === 'task.assigned');
      const late = events.slice(taken).filter(({ claim }) => claim === 1);
      expect(late).toEqual([]);
      const task = goals.get('goal-1')!.tasks.get('task-1')!;
      expect(task).toMatchObject({ claims: 2, failures: 0 });
      expect(begun('step-1').map(({ pid }) => (pid === stopped.pid ? 'late' : 'other'))).toEqual(
        begin,
      );
      const [first, last] = [`${stopped.pid} under 1`, `${other.pid} under 2`];
      expect(task.result).toMatchObject({
        made: [
          `task-1/step-0 by ${first}`,
          `task-1/step-1 by ${second === 'the other’s' ? last : first}`,
        ],
      });
    },
  );
});
