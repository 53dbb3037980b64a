/** A new goal is submitted. */
import type { DecisionOn } from '../decisions/decide.js';
import type { Enqueued } from '../decisions/enqueue.js';
import { capabilitiesOf, type EffectParts, submit } from './effect.js';

export async function enqueueEffect(
  parts: EffectParts,
  { goal: id, created }: DecisionOn<'enqueue'>,
): Promise<Enqueued> {
  const goal = parts.recording.board.goal(id)!;
  if (created) await submit(parts, goal);
  const waitingFor: string[] = [];
  for (const capability of capabilitiesOf(goal)) {
    if ((await parts.jobs.workers(capability)) === 0) waitingFor.push(capability);
  }
  const tasks = [...goal.tasks.values()].map(({ spec }) => [spec.name, spec.id]);
  return { goal: id, created, tasks: Object.fromEntries(tasks), waitingFor };
}
