/** What is done about a request once it is recorded. */
import type { GoalView } from '../../core/goal.js';
import type { Decision } from '../decisions/rule.js';
import type { ReconcileParts, Reconciler } from '../reconcile.js';
import type { Retention } from '../retention.js';
import type { ScheduleKeeper } from '../schedule-keeper.js';

export interface EffectParts extends ReconcileParts {
  readonly reconciler: Reconciler;
  readonly retention: Retention;
  readonly keeper: ScheduleKeeper;
}

/**
 * Carries a recorded decision out. It may be called again, for a command that is delivered twice; where it was never
 * called, reconciling at the next start does the same.
 */
export type Effect<D extends Decision> = (parts: EffectParts, decision: D) => Promise<unknown>;

/**
 * Submits those of a goal's jobs that Redis does not hold.
 * @param begun the goal, where it was decided on just now
 * @param isNew true where it was just created, as far as the request tells
 * @returns the goal as it was submitted
 */
export const submit = (
  { reconciler }: EffectParts,
  id: string,
  begun?: GoalView,
  isNew = false,
): Promise<GoalView> => reconciler.effect(id, () => reconciler.submitMissing(id, begun, isNew));
