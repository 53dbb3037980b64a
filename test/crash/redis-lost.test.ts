/** Redis emptied, away, stopped or not there at all. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { judge, PLANS } from './oracle.js';
import { QUICK, type Scene, stage, until } from './support.js';

const set = stage();
const plans = new Map([
  ['goal-1', PLANS.diamond(6, { ms: 100 })],
  ['goal-2', PLANS.growth({ ms: 100 })],
  ['goal-3', PLANS.chain(6, { ms: 100 })],
  ['goal-4', PLANS.instant(200)],
]);

/** Goals at work, with agents in a process of their own; then something happens to Redis. */
async function during(scene: Scene, happens: () => Promise<void>) {
  const supervisor = await scene.supervisor({ timing: QUICK });
  const agent = await scene.agent({ timing: QUICK });
  for (const [key, tasks] of plans) await supervisor.ask('enqueue', { title: key, tasks });
  await until(() => scene.traces().some(({ what }) => what === 'journaled'));
  await happens();
  for (const id of plans.keys()) await supervisor.line(({ ended }) => ended === id);
  await agent.kill();
  await supervisor.end();
  return supervisor;
}

describe('Redis', () => {
  it('emptied at work is rebuilt from the log; agents of another process go on', async () => {
    const scene = await set();
    await during(scene, () => scene.redis.use(async (client) => void (await client.flushall())));
    const { events } = await judge(scene, plans, { redisLost: true });
    expect(events.map(({ event }) => event.type)).toContain('goal.resubmitted');
  });

  it('killed and started again from its append-only file loses nothing; the trouble is told', async () => {
    const scene = await set();
    const supervisor = await during(scene, async () => {
      await scene.redis.kill();
      await delay(2_000);
      await scene.redis.start();
    });
    await judge(scene, plans);
    const troubles = supervisor.lines.flatMap(({ trouble }) =>
      trouble === undefined ? [] : [trouble],
    );
    expect(troubles[0]).toContain('Redis is away');
    expect(troubles.at(-1)).toBeNull();
  });

  it('that hangs for a while, and goes on, is waited for', async () => {
    const scene = await set();
    await during(scene, async () => {
      scene.redis.signal('SIGSTOP');
      await delay(3_000);
      scene.redis.signal('SIGCONT');
    });
    await judge(scene, plans);
  });

  it('that is not there at the start is named, with how to start it', async () => {
    const scene = await set({ redis: false });
    for (const child of [await scene.supervisor(), await scene.agent()]) {
      await child.exited;
      expect(child.exitCode).toBe(1);
      const refused = child.lines.at(-1)!;
      expect(refused).toMatchObject({ refused: 'redis-unreachable' });
      expect(refused.message).toContain(scene.redis.socket);
      expect(refused.remedy).toContain('redis-server');
    }
  });
});
