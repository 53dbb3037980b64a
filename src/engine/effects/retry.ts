/** A retried task's job goes back into its queue. */
import type { DecisionOn } from '../decisions/decide.js';
import { refOf } from '../reconcile.js';
import type { EffectParts } from './effect.js';

export async function retryEffect(
  { recording, reconciler, jobs }: EffectParts,
  decision: DecisionOn<'retry'>,
): Promise<DecisionOn<'retry'>> {
  const goal = recording.board.goal(decision.goal)!;
  const task = goal.tasks.get(decision.task)!;
  // A command that is delivered again finds the task further on.
  if (task.state === 'PENDING') {
    await reconciler.effect(goal.id, async () => {
      const retried = await jobs.retry(refOf(task), task.released);
      if (!retried) await reconciler.submitMissing(goal);
    });
  }
  return decision;
}
