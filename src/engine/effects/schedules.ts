/** What is recorded of a schedule is done: Redis fires it or does not, and its goals begin or end. */
import type { ScheduleDecision } from '../decisions/schedule-add.js';
import type { FireDecision } from '../decisions/schedule-fire.js';
import { type EffectParts, submit } from './effect.js';

/** Has Redis fire the schedule as the log says. */
export async function scheduleEffect(
  { keeper }: EffectParts,
  { schedule }: ScheduleDecision,
): Promise<void> {
  await keeper.follow(schedule);
}

export async function fireEffect(
  parts: EffectParts,
  { created, cancelled }: FireDecision,
): Promise<void> {
  const { recording, retention } = parts;
  for (const id of cancelled) await retention.clear(recording.board.goal(id)!);
  for (const id of created) await submit(parts, id);
}
