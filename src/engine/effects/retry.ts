/** A retried task's job goes back into its queue. */
import type { DecisionOn } from '../decisions/decide.js';
import { retryJob } from '../repair.js';
import type { EffectParts } from './effect.js';
import { steerEffect } from './steer.js';

export async function retryEffect(
  parts: EffectParts,
  decision: DecisionOn<'retry'>,
): Promise<void> {
  if (decision.asked !== null) {
    await steerEffect(parts, decision);
    return;
  }
  const { recording, reconciler, jobs } = parts;
  const goal = recording.board.goal(decision.goal)!;
  const task = goal.tasks.get(decision.task)!;
  // A command that is delivered again finds the task further on.
  if (task.state !== 'PENDING') return;
  await reconciler.effect(goal.id, async () => {
    if (!(await retryJob(jobs, task, decision.fromScratch)))
      await reconciler.submitMissing(goal.id);
  });
}
