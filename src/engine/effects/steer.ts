/** Tasks begin again, are given up or are let go: Redis follows what is recorded of their goal. */
import type { Decision } from '../decisions/rule.js';
import type { EffectParts } from './effect.js';

export async function steerEffect(
  { reconciler }: EffectParts,
  { goal: id }: Decision,
): Promise<void> {
  await reconciler.effect(id, () => reconciler.steer(id));
}
