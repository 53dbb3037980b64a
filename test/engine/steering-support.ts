/** What the tests of steering ask of a Drover. */
import { expect } from 'vitest';
import type { Event, LoggedEvent } from '../../src/core/events.js';
import { audit } from '../../src/engine/audit/audit.js';
import type { Drover } from '../../src/engine/drover.js';
import type { GoalHandle } from '../../src/engine/goal-handle.js';

/** Nothing contradicts anything. */
export async function agree(drover: Drover): Promise<void> {
  const { log } = drover.ledger;
  const redis = { client: drover.connection.client, prefix: drover.prefix };
  const report = await audit({ log, redis, running: true });
  expect(report.disagreements).toEqual([]);
}

export const eventsOf = (drover: Drover, ...types: Event['type'][]): LoggedEvent[] => [
  ...drover.ledger.log.events({ types }),
];

export const stateOf = (goal: GoalHandle, name: string): string =>
  goal.report().tasks.find((task) => task.name === name)!.state;
