/** What a start refuses, and how soon work goes on by default. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { PLANS } from './oracle.js';
import { stage, until } from './support.js';

const set = stage();

describe('a second supervisor', () => {
  it('is refused with the reason while the first one lives, and takes over when that one is killed', async () => {
    const scene = await set();
    const first = await scene.supervisor();
    const second = await scene.supervisor();
    await second.exited;
    expect(second.lines.at(-1)).toMatchObject({ refused: 'log-locked' });
    expect(second.lines.at(-1)!.message).toContain(`process ${first.pid}`);
    expect(second.lines.at(-1)!.remedy).toContain('drover down');
    await first.kill();
    const third = await scene.supervisor();
    expect(third.lines.at(-1)).toEqual({ ready: third.pid });
  });

  it('of another log is refused on the same keys', async () => {
    const scene = await set();
    await scene.supervisor();
    const other = await scene.supervisor({ dataDir: join(scene.dir, 'other') });
    await other.exited;
    expect(other.lines.at(-1)).toMatchObject({ refused: 'conflict' });
  });
});

describe('a start', () => {
  it('on the log of a newer Drover is refused, and changes nothing', async () => {
    const scene = await set();
    await (await scene.supervisor()).end();
    const file = new SqliteDatabase(join(scene.dataDir, 'drover.sqlite'));
    file.exec(
      "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 9999999999999)",
    );
    file.close();
    const child = await scene.supervisor();
    await child.exited;
    expect(child.exitCode).toBe(1);
    expect(child.lines.at(-1)).toMatchObject({ refused: 'log-newer' });
  });

  it('in a data directory that cannot be written is refused', async (context) => {
    if (process.getuid?.() === 0) {
      context.skip('root may write everywhere');
      return;
    }
    const scene = await set();
    mkdirSync(scene.dataDir);
    chmodSync(scene.dataDir, 0o500);
    const child = await scene.supervisor();
    await child.exited;
    expect(child.lines.at(-1)).toMatchObject({ refused: 'log-unwritable' });
    chmodSync(scene.dataDir, 0o700);
  });
});

it('an agent killed at work is replaced, by the default timing', async () => {
  const scene = await set();
  const supervisor = await scene.supervisor();
  await scene.agent();
  await scene.agent();
  const plan = PLANS.chain(1, { ms: 60_000 });
  await supervisor.ask('enqueue', { title: 'Replace', tasks: plan });
  // Either of the two takes it; the one that did is killed.
  await until(() => scene.traces().some(({ what }) => what === 'begin'));
  const taken = scene.traces().find(({ what }) => what === 'begin')!;
  const killed = Date.now();
  process.kill(taken.pid, 'SIGKILL');
  await until(() => scene.traces().some(({ what, pid }) => what === 'run' && pid !== taken.pid));
  const again = scene.traces().find(({ what, pid }) => what === 'run' && pid !== taken.pid)!;
  console.log(`the task ran again ${again.time - killed} ms after its agent was killed`);
  expect(again.claim).toBe(taken.claim + 1);
});
