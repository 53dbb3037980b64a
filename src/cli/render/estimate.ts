/** How far a goal is and when it may end, in words. */
import type { Estimate } from '../../projections/estimate.js';
import { formatDuration, formatTime } from './duration.js';

/** `62% done; about 3 m 10 s left, until 12:34:56, from up to 9 earlier runs of each task`. */
export function estimateLine({ percent, remaining, endsAt, basis }: Estimate): string {
  const done = `${percent}% done`;
  if (remaining === null || endsAt === null)
    return `${done}; its end cannot be told: ${basis.text}`;
  const left = `about ${formatDuration(remaining)} left, until ${formatTime(endsAt)}`;
  return `${done}; ${left}, ${basis.text}`;
}

/** `62%, 3 m 10 s left`. */
export function briefEstimate({ percent, remaining }: Estimate): string {
  return remaining === null ? `${percent}%` : `${percent}%, ${formatDuration(remaining)} left`;
}
