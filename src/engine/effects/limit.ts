/** A limit holds for what begins from now on. */
import { readLimits } from '../../projections/limits.js';
import type { EffectParts } from './effect.js';

export async function limitEffect({ recording, limits }: EffectParts): Promise<void> {
  // All of them: of two commands the later one holds, in whichever order their effects come.
  await limits.set(readLimits(recording.log));
}
