/** What was approved starts, or lands. */
import type { Decision } from '../decisions/rule.js';
import type { EffectParts } from './effect.js';
import { steerEffect } from './steer.js';

export async function approveEffect(parts: EffectParts, decision: Decision): Promise<void> {
  if (parts.recording.board.goal(decision.goal)!.state === 'DONE') {
    await parts.landings.settle(decision.goal);
  } else {
    await steerEffect(parts, decision);
  }
}
