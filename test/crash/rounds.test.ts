/**
 * Everything dies at random moments, for many rounds: supervisor, agents and Redis, alone and together, over a
 * mix of plans. `CRASH_ROUNDS` asks for more rounds, `CRASH_SEED` for the same moments once more.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { judge, type Plan, PLANS } from './oracle.js';
import { randomFrom, ROUNDS, SEED } from './random.js';
import { type Child, QUICK, type Scene, stage } from './support.js';

const set = stage();

/** Milliseconds for a round, with room for a slow machine. */
const ROUND = 30_000;

const MIX: readonly Plan[] = [
  PLANS.chain(4),
  PLANS.diamond(4),
  PLANS.growth(),
  PLANS.retries(),
  PLANS.instant(6),
];

/** A supervisor and two agents that are replaced when they die. */
class Crew {
  private members = new Map<string, Child>();
  readonly plans = new Map<string, Plan>();

  constructor(private readonly scene: Scene) {}

  get supervisor(): Child {
    return this.members.get('supervisor')!;
  }

  async muster(): Promise<void> {
    for (const name of ['supervisor', 'agent-1', 'agent-2']) {
      if (this.members.get(name)?.running) continue;
      const kind = name === 'supervisor' ? 'supervisor' : 'agent';
      this.members.set(name, await this.scene[kind]({ timing: QUICK }));
    }
  }

  kill(names: readonly string[]): Promise<unknown> {
    return Promise.all(
      names.map((name) =>
        name === 'redis' ? this.scene.redis.kill() : this.members.get(name)!.kill(),
      ),
    );
  }

  /** Not awaited by the rounds: the supervisor may die over it, so the key asks for the same goal again. */
  async enqueue(round: number): Promise<void> {
    for (const [index, plan] of MIX.entries()) {
      const key = `round-${round}-${index}`;
      const { ok } = await this.supervisor.ask('enqueue', { title: key, key, tasks: plan });
      this.plans.set((ok as { goal: string }).goal, plan);
    }
  }

  async finish(): Promise<void> {
    for (const id of this.plans.keys()) await this.supervisor.ask('follow', id);
    for (const id of this.plans.keys()) await this.supervisor.line(({ ended }) => ended === id);
    await this.supervisor.end();
    await this.kill(['agent-1', 'agent-2']);
  }
}

describe('at random moments', () => {
  const victims = [
    ['supervisor'],
    ['agent-1'],
    ['agent-1', 'agent-2'],
    ['redis'],
    ['supervisor', 'redis'],
    ['supervisor', 'agent-1', 'agent-2', 'redis'],
  ];

  it(
    `all of them die, ${ROUNDS} rounds (CRASH_SEED=${SEED})`,
    { timeout: 30_000 + ROUNDS * ROUND },
    async () => {
      const random = randomFrom(SEED);
      const scene = await set();
      const crew = new Crew(scene);
      for (let round = 0; round < ROUNDS; round += 1) {
        await crew.muster();
        const enqueued = crew.enqueue(round).catch(() => undefined);
        await delay(random() * 800);
        const dying = victims[Math.floor(random() * victims.length)]!;
        await crew.kill(dying);
        if (dying.includes('redis')) {
          await delay(random() * 300);
          await scene.redis.start();
        }
        if (!dying.includes('supervisor')) await enqueued;
        await crew.muster();
        await crew.enqueue(round);
      }
      await crew.finish();
      const { goals } = await judge(scene, crew.plans);
      expect(goals.size).toBe(ROUNDS * MIX.length);
    },
  );

  it(
    'Redis loses its last second with everything else',
    { timeout: 60_000 + ROUNDS * ROUND },
    async () => {
      const random = randomFrom(SEED);
      const scene = await set();
      const crew = new Crew(scene);
      for (let round = 0; round < ROUNDS / 2; round += 1) {
        await crew.muster();
        await crew.enqueue(round);
        await delay(random() * 200);
        const durable = await scene.redis.written();
        await delay(random() * 600);
        await crew.kill(round % 2 === 0 ? ['redis'] : ['redis', 'supervisor', 'agent-1']);
        await scene.redis.loseAfter(durable);
        await scene.redis.start();
        await crew.muster();
      }
      await crew.finish();
      await judge(scene, crew.plans, { redisLost: true });
    },
  );
});
