/** A retried task's job goes back into its queue. */
import type { DecisionOn } from '../decisions/decide.js';
import type { EffectParts } from './effect.js';

export async function retryEffect(
  { recording, reconciler }: EffectParts,
  decision: DecisionOn<'retry'>,
): Promise<void> {
  const goal = recording.board.goal(decision.goal)!;
  const task = goal.tasks.get(decision.task)!;
  // A command that is delivered again finds the task further on.
  if (task.state !== 'PENDING') return;
  await reconciler.effect(goal.id, async () => {
    if (!(await reconciler.retry(task, decision.fromScratch))) await reconciler.submitMissing(goal);
  });
}
