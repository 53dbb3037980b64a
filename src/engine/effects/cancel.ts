/** A cancelled goal's workers are told, and what nobody holds leaves Redis. */
import type { DecisionOn } from '../decisions/decide.js';
import type { EffectParts } from './effect.js';

export async function cancelEffect(
  { recording, retention }: EffectParts,
  decision: DecisionOn<'cancel'>,
): Promise<DecisionOn<'cancel'>> {
  await retention.clear(recording.board.goal(decision.goal)!);
  return decision;
}
