/**
 * Everything dies at random moments while people steer at random: what was asked is recorded and carried out, or
 * neither. `CRASH_ROUNDS` asks for more rounds, `CRASH_SEED` for the same requests and moments once more.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { PlannedTaskInput } from '../../src/core/plan.js';
import type { GoalView } from '../../src/core/goal.js';
import { audit } from '../../src/engine/audit/audit.js';
import { goalIds } from '../../src/log/integrity.js';
import { Log } from '../../src/log/log.js';
import { loadGoal } from '../../src/projections/board.js';
import { randomFrom, ROUNDS, SEED } from './random.js';
import { type Child, PREFIX, QUICK, reading, type Scene, stage, until } from './support.js';

const set = stage();
/** Milliseconds for a round, with room for a slow machine. */
const ROUND = 40_000;

const task = (name: string, needs: string[], more: Partial<PlannedTaskInput> = {}) => ({
  name,
  capability: 'worker',
  needs,
  with: { steps: 2, ms: 5 },
  retry: { attempts: 1 },
  ...more,
});
const PLAN = [
  task('a', []),
  task('b', ['a'], { approve: 'before' }),
  task('c', ['a'], { wait: { signal: 'go' } }),
  task('d', ['b', 'c'], { optional: true, with: { steps: 1, failures: 9 } }),
  task('e', ['d', 'f'], { wait: { for: 20 } }),
  task('f', [], { concurrency: { key: 'one' } }),
];

/** A method and what it takes. */
type Request = readonly [method: string, ...given: unknown[]];
const REQUESTS: readonly ((goal: string, task: string, key: string) => Request)[] = [
  (_, one, key) => ['rerun', one, { key }],
  (_, one, key) => ['rerun', one, { key, fork: true }],
  (_, one) => ['skip', one],
  (_, one) => ['retry', one],
  (_, one) => ['cancel', one, 'no', { dependents: 'block' }],
  (_, one) => ['cancel', one, 'no', { dependents: 'skip' }],
  (_, one) => ['cancel', one],
  (_, one) => ['approve', one],
  (_, one) => ['reject', one, 'no', { end: true }],
  (_, one) => ['edit', one, { title: 'new' }],
  (goal, one, key) => ['addTasks', goal, [task(`after ${key}`, [one])], { key }],
  (goal) => ['signal', goal, 'go', 1],
  (goal) => ['pause', { goal }],
  (goal) => ['resume', { goal }],
];

const VICTIMS = [
  ['supervisor'],
  ['supervisor'],
  ['supervisor', 'agent'],
  ['agent'],
  ['redis'],
  ['supervisor', 'agent', 'redis'],
];

it(
  `all of them die, ${ROUNDS} rounds (CRASH_SEED=${SEED})`,
  { timeout: 30_000 + ROUNDS * ROUND },
  async () => {
    const random = randomFrom(SEED);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
    const scene = await set();
    const crew = new Map<string, Child>();
    const muster = async (): Promise<Child> => {
      for (const kind of ['supervisor', 'agent'] as const) {
        if (!crew.get(kind)?.running) crew.set(kind, await scene[kind]({ timing: QUICK }));
      }
      return crew.get('supervisor')!;
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      const first = await muster();
      const { ok } = await first.ask('enqueue', { title: `Round ${round}`, tasks: PLAN });
      const { goal } = ok as { goal: string };
      const ids = [...goalsOf(scene).get(goal)!.tasks.keys()];
      const requests = Array.from({ length: 8 }, (_, index) =>
        pick(REQUESTS)(goal, pick(ids), `${round}-${index}`),
      );
      const asking = requests.map(async (request) => {
        await delay(random() * 150);
        await first.ask('control', request);
      });
      const asked = Promise.allSettled(asking);
      await delay(random() * 200);
      const dying = pick(VICTIMS);
      await Promise.all(
        dying.map((who) => (who === 'redis' ? scene.redis.kill() : crew.get(who)!.kill())),
      );
      if (dying.includes('redis')) await scene.redis.start();
      const next = await muster();
      await asked;
      // Whoever got no answer asks again.
      for (const request of requests) await next.ask('control', request);
      await letGo(scene, next);
    }
    const last = await muster();
    await last.end();
    await crew.get('agent')!.kill();
    await judge(scene);
  },
);

const goalsOf = (scene: Scene): Map<string, GoalView> =>
  reading(scene, ({ db }) => new Map(goalIds(db).map((id) => [id, loadGoal(db, id)!])));

/** Answers whatever still waits for people, until nothing is under way any more. */
async function letGo(scene: Scene, supervisor: Child): Promise<void> {
  await until(async () => {
    const open = [...goalsOf(scene).values()].filter(({ state }) => state === 'OPEN');
    for (const { id, paused, tasks } of open) {
      if (paused) await supervisor.ask('control', ['resume', { goal: id }]);
      await supervisor.ask('control', ['signal', id, 'go', 2]);
      for (const { spec, gates } of tasks.values()) {
        const waits = gates.some((gate) => gate.kind === 'approval' && !gate.open);
        if (waits) await supervisor.ask('control', ['approve', spec.id]);
      }
    }
    return open.length === 0;
  });
}

/** Nothing contradicts anything, and nothing ended or was journaled more often than it was begun anew. */
async function judge(scene: Scene): Promise<void> {
  const goals = goalsOf(scene);
  const log = Log.read(scene.dataDir);
  try {
    const { disagreements } = await scene.redis.use((client) =>
      audit({ log, redis: { client, prefix: PREFIX }, running: false }),
    );
    expect(disagreements.map(({ goal, explanation }) => `${goal}: ${explanation}`)).toEqual([]);
    const counts = new Map<string, number>();
    for (const { event, task: id } of log.events({ types: ['step.done', 'task.completed'] })) {
      const what = event.type === 'step.done' ? `${id} ${event.step}` : `${id} is done`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
    const generations = new Map(
      [...goals.values()].flatMap(({ tasks }) =>
        [...tasks].map(([id, { generation }]) => [id, generation] as const),
      ),
    );
    const doubled = [...counts].filter(
      ([what, count]) => count > generations.get(what.split(' ')[0]!)!,
    );
    expect(doubled).toEqual([]);
  } finally {
    log.close();
  }
}
