/** A goal that was asked for is submitted. */
import type { GoalView } from '../../core/goal.js';
import type { DecisionOn } from '../decisions/decide.js';
import { type EffectParts, submit } from './effect.js';

/** @returns the goal as it was submitted */
export async function enqueueEffect(
  parts: EffectParts,
  { goal, created }: DecisionOn<'enqueue'>,
): Promise<GoalView> {
  const view = (await parts.recording.board.goalInPages(goal))!;
  await submit(parts, view, created);
  return view;
}
