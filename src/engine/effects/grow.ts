/** Added tasks are submitted. */
import type { DecisionOn } from '../decisions/decide.js';
import { type EffectParts, submit } from './effect.js';

/** Answers with the added tasks' ids by name. */
export async function growEffect(
  parts: EffectParts,
  { goal, added }: DecisionOn<'grow'>,
): Promise<Readonly<Record<string, string>>> {
  await submit(parts, parts.recording.board.goal(goal)!);
  return added;
}
