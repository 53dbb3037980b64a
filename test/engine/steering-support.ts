/** What the tests of steering ask of a Drover. */
import { expect } from 'vitest';
import type { Event, LoggedEvent } from '../../src/core/events.js';
import { audit } from '../../src/engine/audit/audit.js';
import type { Drover } from '../../src/engine/drover.js';
import type { GoalHandle } from '../../src/engine/goal-handle.js';

/**
 * Milliseconds that what runs gets to agree, where it should: the supervisor may be busy, and puts removals off then. It
 * costs nothing where all agree.
 */
export const PATIENCE = 30_000;

/** Nothing contradicts anything. */
export async function agree(drover: Drover): Promise<void> {
  const { log } = drover.ledger;
  const redis = { client: drover.connection.client, prefix: drover.prefix };
  const report = await audit({ log, redis, running: true, patience: PATIENCE });
  expect(report.disagreements).toEqual([]);
}

export const eventsOf = (drover: Drover, ...types: Event['type'][]): LoggedEvent[] => [
  ...drover.ledger.log.events({ types }),
];

export const stateOf = async (goal: GoalHandle, name: string): Promise<string> =>
  (await goal.report()).tasks.find((task) => task.name === name)!.state;
