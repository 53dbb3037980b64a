/** What has to be true after any crash, asked of the log, of BullMQ and of the traces that the work left. */
import { expect } from 'vitest';
import { audit } from '../../src/engine/audit/audit.js';
import type { LoggedEvent } from '../../src/core/events.js';
import type { GoalView } from '../../src/core/goal.js';
import type { PlannedTaskInput } from '../../src/core/plan.js';
import { Log } from '../../src/log/log.js';
import { goalIds } from '../../src/log/integrity.js';
import { loadGoal } from '../../src/projections/board.js';
import { PREFIX, type Scene } from './support.js';

/** A task of these plans takes its values from `with`; see `fixtures/work.mjs`. */
export type Plan = readonly PlannedTaskInput[];

const task = (name: string, needs: string[] = [], work: object = {}): PlannedTaskInput => ({
  name,
  capability: 'worker',
  needs,
  with: { steps: 2, ms: 5, ...work },
  retry: { attempts: 3, backoff: { type: 'fixed', delay: 20, jitter: 0 } },
});

export const PLANS = {
  chain: (length: number, work?: object): Plan =>
    Array.from({ length }, (_, index) =>
      task(`c${index}`, index === 0 ? [] : [`c${index - 1}`], work),
    ),
  diamond: (width: number, work?: object): Plan => {
    const middle = Array.from({ length: width }, (_, index) => `m${index}`);
    return [
      task('top', [], work),
      ...middle.map((name) => task(name, ['top'], work)),
      task('end', middle, work),
    ];
  },
  /** Each task but those of the first layer has three needs, so most have several dependents. */
  layers: (depth: number, width: number, work?: object): Plan =>
    Array.from({ length: depth * width }, (_, index) => {
      const before = Math.floor(index / width) - 1;
      const needs = [0, 1, 7].map((step) => `l${before * width + ((index + step) % width)}`);
      return task(`l${index}`, before < 0 ? [] : needs, work);
    }),
  growth: (work?: object): Plan => [
    task('seed', [], work),
    task('grower', ['seed'], { ...work, grow: 3 }),
    task('other', ['seed'], work),
    task('last', ['grower', 'other'], work),
  ],
  /** Tasks that know their values beforehand, so that their handlers return before their claims are open. */
  instant: (length: number): Plan =>
    Array.from({ length }, (_, index) =>
      task(`i${index}`, index === 0 ? [] : [`i${index - 1}`], { instant: index + 1 }),
    ),
  retries: (work?: object): Plan => [
    task('first', [], { ...work, failures: 1 }),
    task('second', ['first'], { ...work, failures: 2 }),
    task('third', ['first', 'second'], work),
  ],
} as const;

/** The value that each task has to come to, by its name. */
export function expectedValues(plan: Plan): Map<string, number> {
  const values = new Map<string, number>();
  const open = [...plan];
  for (let next = open.shift(); next; next = open.shift()) {
    const needs = next.needs ?? [];
    if (!needs.every((need) => values.has(need))) {
      open.push(next);
      continue;
    }
    const grow = (next.with?.['grow'] ?? 0) as number;
    values.set(next.name, 1 + grow + needs.reduce((sum, need) => sum + values.get(need)!, 0));
  }
  return values;
}

export interface Verdict {
  readonly goals: ReadonlyMap<string, GoalView>;
  readonly events: readonly LoggedEvent[];
}

/**
 * Fails the test where a task is lost, a finished step or task ran again, a result is wrong, or the witnesses
 * contradict each other. To be asked when nothing works any more.
 *
 * @param plans the plan of each goal by its id; all of them have to be done
 */
export async function judge(
  scene: Scene,
  plans: ReadonlyMap<string, Plan>,
  { redisLost = false } = {},
): Promise<Verdict> {
  const log = Log.read(scene.dataDir);
  try {
    expect(goalIds(log.db).toSorted()).toEqual([...plans.keys()].toSorted());
    const { disagreements } = await scene.redis.use((client) =>
      audit({ log, redis: { client, prefix: PREFIX }, running: false }),
    );
    expect(disagreements.map(({ goal, explanation }) => `${goal}: ${explanation}`)).toEqual([]);
    const goals = new Map<string, GoalView>();
    for (const [id, plan] of plans) {
      const goal = loadGoal(log.db, id)!;
      const errors = [...goal.tasks.values()].map(({ error }) => error).filter(Boolean);
      expect({ id, state: goal.state, errors }).toEqual({ id, state: 'DONE', errors: [] });
      goals.set(id, goal);
      judgeResults(goal, plan, [...log.events({ goal: id })], redisLost);
    }
    if (!redisLost) judgeTraces(scene);
    return { goals, events: [...log.events()] };
  } finally {
    log.close();
  }
}

function judgeResults(
  goal: GoalView,
  plan: Plan,
  events: readonly LoggedEvent[],
  redisLost: boolean,
): void {
  const journal = new Map<string, unknown>();
  for (const { event, task: id } of events)
    if (event.type === 'step.done') journal.set(`${id}/${event.step}`, event.result);
  const wanted = expectedValues(plan);
  for (const { spec, result } of goal.tasks.values()) {
    const { value, made } = result as { value: number; made: string[] };
    // Children of a growing task have no needs.
    expect({ task: spec.name, value }).toEqual({
      task: spec.name,
      value: wanted.get(spec.name) ?? 1,
    });
    for (const [index, one] of made.entries()) {
      const logged = journal.get(`${spec.id}/step-${index}`);
      // A Redis that lost its last second may have lost the event while the agent went on.
      if (!redisLost || logged !== undefined) expect(one).toBe(logged);
    }
  }
}

/** The lines stand in the order in which they were written, whoever wrote them. */
function judgeTraces(scene: Scene): void {
  const journaled = new Set<string>();
  for (const { what, task: id, step, claim } of scene.traces()) {
    if (what === 'journaled') journaled.add(`${id}/${step}`);
    if (what === 'begin' && journaled.has(`${id}/${step}`)) {
      expect.fail(`${id} began its finished ${step} again, under claim ${claim}`);
    }
  }
}
