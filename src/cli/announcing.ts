/** Tells people that a goal was handed in, and what it waits for. */
import { counted } from '../core/counted.js';
import type { GoalRequest } from '../engine/decisions/enqueue.js';
import type { Desk, HandedIn } from './desk.js';
import { capabilitiesOf } from './flow.js';
import { missingAgents, toBeStarted } from './missing-agents.js';
import { print } from './output.js';

export function announce(
  { goal, created, waitingFor }: HandedIn,
  request: GoalRequest,
  { note, live }: Desk,
): void {
  const tasks = counted(request.tasks.length, 'task');
  print(created ? `${goal} is enqueued: ${tasks}.` : `${goal} has that key already.`);
  if (note !== undefined) print(note);
  const missing = missingAgents(toBeStarted(capabilitiesOf(request), waitingFor, live), live);
  if (missing !== undefined) print(missing);
}
