/** Workers are told what is paused, and what was put aside is handed back. */
import { listPauses } from '../../projections/pauses.js';
import type { DecisionOn } from '../decisions/decide.js';
import type { EffectParts } from './effect.js';

export async function pauseEffect(
  { recording, reconciler, steering }: EffectParts,
  { goal, project, capability }: DecisionOn<'pause'>,
): Promise<void> {
  const { board, log } = recording;
  if (capability !== undefined) {
    await steering.followCapability(capability, () => listPauses(log.db));
    return;
  }
  if (project !== undefined) {
    await steering.followProjects(listPauses(log.db));
    return;
  }
  const view = board.goal(goal)!;
  await reconciler.effect(view.id, () => steering.followPause(view));
}
