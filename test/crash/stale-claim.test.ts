/** Invariant 5 with real processes: an agent that is stopped past its lock and continued writes nothing more. */
import { describe, expect, it } from 'vitest';
import { judge, type Plan } from './oracle.js';
import { QUICK, stage, until } from './support.js';

const set = stage();

describe('an agent stopped with SIGSTOP past its lock, and continued', () => {
  it.each([
    ['in a step', 2_000],
    ['with its result all but handed in', 50],
  ])('%s: its late writes are refused, and the new claim’s result stands', async (_, ms) => {
    const scene = await set();
    const supervisor = await scene.supervisor({ timing: QUICK });
    const plan: Plan = [
      { name: 'slow', capability: 'worker', with: { steps: 2, ms, stubborn: true } },
    ];
    await supervisor.ask('enqueue', { title: 'Late', tasks: plan });
    const stopped = await scene.agent({ timing: QUICK });
    await until(() =>
      scene.traces().some(({ what, step }) => what === 'begin' && step === 'step-1'),
    );
    stopped.signal('SIGSTOP');
    const other = await scene.agent({ timing: QUICK });
    await until(() => scene.traces().some(({ pid }) => pid === other.pid));
    stopped.signal('SIGCONT');
    await supervisor.line(({ ended }) => ended === 'goal-1');
    // The one that was late gets all the time it needs to try.
    await until(() =>
      scene
        .traces()
        .some(
          ({ pid, step, what }) => pid === stopped.pid && what === 'begin' && step === 'step-1',
        ),
    );
    await stopped.end();
    await other.end();
    await supervisor.end();
    const { goals, events } = await judge(scene, new Map([['goal-1', plan]]));
    const second = events.findLastIndex(({ event }) => event.type === 'task.assigned');
    const late = events.slice(second).filter(({ claim }) => claim === 1);
    expect(late).toEqual([]);
    const task = goals.get('goal-1')!.tasks.get('task-1')!;
    expect(task).toMatchObject({ claims: 2, failures: 0 });
    expect(JSON.stringify(task.result)).toContain(`step-1 by ${other.pid} under 2`);
    expect(JSON.stringify(task.result)).toContain(`step-0 by ${stopped.pid} under 1`);
  });
});
