/** How far a goal is and when it may end, in words. */
import type { Estimate } from '../../projections/estimate.js';
import { formatDuration, formatTime } from './duration.js';

/** `62% done by expected time; about 3 m 10 s left, until 12:34:56, from up to 9 earlier runs of each task`. */
export function estimateLine({ percent, remaining, endsAt, basis }: Estimate): string {
  // Tasks that run count with the time they have run: more may be done than whole tasks are.
  const done = `${percent}% done by expected time`;
  if (remaining === null || endsAt === null)
    return `${done}; its end cannot be told: ${basis.text}`;
  const left = `about ${formatDuration(remaining)} left, until ${formatTime(endsAt)}`;
  return `${done}; ${left}, ${basis.text}`;
}

/** `62% by time, 3 m 10 s left`. */
export function briefEstimate({ percent, remaining }: Estimate): string {
  const done = `${percent}% by time`;
  return remaining === null ? done : `${done}, ${formatDuration(remaining)} left`;
}
