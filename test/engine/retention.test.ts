/** What is finished leaves Redis when nobody has better use for the processor, and soon in any case. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { NewEvent } from '../../src/core/events.js';
import type { Recording } from '../../src/engine/recording/recording.js';
import { Ledger } from '../../src/engine/recording/ledger.js';
import { Retention } from '../../src/engine/retention.js';
import { Turns } from '../../src/engine/turns.js';
import { Log } from '../../src/log/log.js';
import { GoalReader } from '../../src/projections/goal-reader.js';
import { connect } from '../../src/queues/connection.js';
import { Jobs } from '../../src/queues/jobs.js';
import { Queues } from '../../src/queues/queues.js';
import { testBed } from '../support/redis.js';

const root = mkdtempSync(join(tmpdir(), 'drover-retention-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const bed = testBed();

it('waits while the process is busy, but not for ever', async () => {
  const ledger = new Ledger(Log.open(root));
  const connection = await connect(bed.redis().connection);
  const prefix = 'retention';
  const queues = new Queues(connection.client, prefix);
  const jobs = new Jobs(connection.client, prefix, queues);
  const { log } = ledger;
  const recording = {
    log,
    board: new GoalReader(log.db),
    commit: async (events: readonly NewEvent[]) => void ledger.commit(events),
  } as unknown as Recording;
  const retention = new Retention(
    { client: connection.client, prefix, recording, jobs, turns: new Turns(), onError: fail },
    { age: 60_000, tasks: 10 },
  );
  const cancelled = (id: string): void => {
    const at = { time: 1, project: 'p', goal: id };
    ledger.commit([
      { ...at, event: { type: 'goal.created', title: 'G', priority: 'normal' } },
      { ...at, event: { type: 'goal.cancelled' } },
    ]);
  };
  const isGone = (id: string): boolean => recording.board.goal(id)!.evicted;

  const stop = occupy();
  cancelled('goal-1');
  // Nobody knows how long it has been waiting.
  await retention.sweep(100_000);
  expect(isGone('goal-1')).toBe(true);
  cancelled('goal-2');
  await retention.sweep(101_000);
  expect(isGone('goal-2')).toBe(false);
  await retention.sweep(105_000);
  expect(isGone('goal-2')).toBe(true);
  cancelled('goal-3');
  stop();
  // Other things may have use for the processor in the first moments.
  await expect
    .poll(async () => {
      await retention.sweep(106_000);
      return isGone('goal-3');
    })
    .toBe(true);

  await queues.close();
  await connection.close();
  log.close();
});

/** Keeps the event loop busy, turn by turn. */
function occupy(): () => void {
  let isOn = true;
  const turn = (): void => {
    const until = performance.now() + 5;
    while (performance.now() < until);
    if (isOn) setImmediate(turn);
  };
  turn();
  return () => {
    isOn = false;
  };
}

function fail(error: Error): void {
  throw error;
}
