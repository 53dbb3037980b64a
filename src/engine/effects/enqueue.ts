/** A goal that was asked for is submitted. */
import type { DecisionOn } from '../decisions/decide.js';
import { type EffectParts, submit } from './effect.js';

export async function enqueueEffect(
  parts: EffectParts,
  { goal, created }: DecisionOn<'enqueue'>,
): Promise<void> {
  await submit(parts, parts.recording.board.goal(goal)!, created);
}
