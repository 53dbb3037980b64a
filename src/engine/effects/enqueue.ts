/** A goal that was asked for is submitted. */
import type { NewEvent } from '../../core/events.js';
import { evolve } from '../../core/evolve.js';
import { createGoal, type GoalView } from '../../core/goal.js';
import type { DecisionOn } from '../decisions/decide.js';
import { type EffectParts, submit } from './effect.js';

/**
 * @param begun its first events, where they are at hand
 * @returns the goal as it was submitted
 */
export async function enqueueEffect(
  parts: EffectParts,
  { goal, created }: DecisionOn<'enqueue'>,
  begun: readonly NewEvent[] = [],
): Promise<GoalView> {
  return submit(parts, goal, folded(begun), created);
}

function folded(events: readonly NewEvent[]): GoalView | undefined {
  let goal: GoalView | undefined;
  for (const entry of events) {
    const { event } = entry;
    if (event.type === 'goal.created') goal = createGoal({ ...entry, event });
    if (goal) evolve(goal, entry);
  }
  return goal;
}
