/** Tasks begin again, are given up or are let go: Redis follows what is recorded of their goal. */
import type { Decision } from '../decisions/rule.js';
import { capabilitiesOf, type EffectParts } from './effect.js';

export async function steerEffect(
  { recording, reconciler, watch }: EffectParts,
  { goal: id }: Decision,
): Promise<void> {
  await reconciler.effect(id, async () => {
    await watch(capabilitiesOf(recording.board.goal(id)!));
    await reconciler.steer(id);
  });
}
