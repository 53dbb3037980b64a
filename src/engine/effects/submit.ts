/** What is new of a goal is submitted. */
import type { Decision } from '../decisions/rule.js';
import { type EffectParts, submit } from './effect.js';

export async function submitEffect(parts: EffectParts, { goal }: Decision): Promise<void> {
  await submit(parts, goal);
}
