/** A cancelled goal's workers are told, and what nobody holds leaves Redis. */
import type { Decision } from '../decisions/rule.js';
import type { EffectParts } from './effect.js';

export async function cancelEffect(
  { recording, retention }: EffectParts,
  { goal }: Decision,
): Promise<void> {
  await retention.clear(recording.board.goal(goal)!);
}
