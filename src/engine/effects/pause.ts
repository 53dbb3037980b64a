/** Workers are told what is paused, and what was put aside is handed back. */
import type { GoalView } from '../../core/goal.js';
import type { Log } from '../../log/log.js';
import { listPauses, type Pause } from '../../projections/pauses.js';
import type { DecisionOn } from '../decisions/decide.js';
import type { Steering } from '../steering.js';
import type { EffectParts } from './effect.js';

export async function pauseEffect(
  { recording, reconciler, steering }: EffectParts,
  decision: DecisionOn<'pause'>,
): Promise<void> {
  const follow = (): Promise<void> => followPauses(steering, recording, decision);
  await (decision.goal === '' ? follow() : reconciler.effect(decision.goal, follow));
}

/** Where what is paused can be read. */
interface Recorded {
  readonly board: { readonly goal: (id: string) => GoalView | undefined };
  readonly log: Log;
}

/** Lets Redis follow the log about the goal, the project or the capability that was paused, or goes on. */
export async function followPauses(
  steering: Steering,
  { board, log }: Recorded,
  { goal, project, capability }: DecisionOn<'pause'>,
): Promise<void> {
  const pauses = (): Pause[] => listPauses(log.db);
  if (capability !== undefined) await steering.followCapability(capability, pauses);
  else if (project !== undefined) await steering.followProjects(pauses());
  else await steering.followPause(board.goal(goal)!);
}
