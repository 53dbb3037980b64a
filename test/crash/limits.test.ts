/** A killed agent's slot: nobody takes it while its claim may be alive, and nobody waits for it for ever. */
import { describe, expect, it } from 'vitest';
import { judge, type Plan } from './oracle.js';
import { type Child, QUICK, stage, type Trace, until } from './support.js';

const set = stage();
const LIMIT = 2;

/** The most attempts that were under way at once; those of a killed process end with it. */
function most(traces: readonly Trace[], killed: number, at: number): number {
  const moments = traces.flatMap((trace): { time: number; step: number }[] => {
    if (trace.what === 'returning') return [{ time: trace.time, step: -1 }];
    if (trace.what !== 'run') return [];
    const ended = traces.some(
      ({ what, task, claim }) =>
        what === 'returning' && task === trace.task && claim === trace.claim,
    );
    const death = trace.pid === killed && !ended ? [{ time: at, step: -1 }] : [];
    return [{ time: trace.time, step: 1 }, ...death];
  });
  let running = 0;
  let highest = 0;
  // What ends in the same millisecond ends before: its trace is written before its slot is given back.
  for (const { step } of moments.toSorted((a, b) => a.time - b.time || a.step - b.step)) {
    running += step;
    highest = Math.max(highest, running);
  }
  return highest;
}

/** Whether a process has an attempt under way. */
const isAtWork = (traces: readonly Trace[], { pid }: Child): boolean =>
  traces.some(
    (run) =>
      run.what === 'run' &&
      run.pid === pid &&
      !traces.some(
        ({ what, task, claim }) => what === 'returning' && task === run.task && claim === run.claim,
      ),
  );

describe('agents with a limit, one of which is killed with its slots', () => {
  it('never run more than it allows, and bring everything to its end', async () => {
    const scene = await set();
    const supervisor = await scene.supervisor({ timing: QUICK });
    const plan: Plan = Array.from({ length: 12 }, (_, index) => ({
      name: `t${index}`,
      capability: 'worker',
      with: { steps: 2, ms: 100 },
      concurrency: { key: 'db', limit: LIMIT },
    }));
    const agents = [1, 2, 3].map(async () => scene.agent({ timing: QUICK }));
    const ready = await Promise.all(agents);
    await supervisor.ask('enqueue', { title: 'Limited', tasks: plan });
    await until(() => scene.traces().filter(({ what }) => what === 'begin').length >= LIMIT);
    let victim: Child | undefined;
    await until(() => {
      victim = ready.find((agent) => isAtWork(scene.traces(), agent));
      // Stopped first: a task that was seen under way may be over before its agent is killed.
      victim?.signal('SIGSTOP');
      if (victim && isAtWork(scene.traces(), victim)) return true;
      victim?.signal('SIGCONT');
      return false;
    });
    await victim!.kill();
    const died = Date.now();
    await supervisor.line(({ ended }) => ended === 'goal-1');
    for (const agent of ready) if (agent !== victim) await agent.end();
    await supervisor.end();
    const { events } = await judge(scene, new Map([['goal-1', plan]]));
    expect(events.some(({ event }) => event.type === 'task.held')).toBe(true);
    expect(events.some(({ event }) => event.type === 'task.stalled')).toBe(true);
    expect(most(scene.traces(), victim!.pid, died)).toBe(LIMIT);
  });
});
