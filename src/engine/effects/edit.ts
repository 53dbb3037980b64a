/** An edited task's job gets the new text. */
import type { DecisionOn } from '../decisions/decide.js';
import type { EffectParts } from './effect.js';

export async function editEffect(
  { recording, reconciler, steering, turns }: EffectParts,
  { goal: id, task }: DecisionOn<'edit'>,
): Promise<void> {
  await reconciler.effect(id, () =>
    turns.take(id, async () => {
      const goal = recording.board.goal(id)!;
      await steering.applyEdits(goal, [goal.tasks.get(task)!]);
    }),
  );
}
