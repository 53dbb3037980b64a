/** Limits in words. */
import type { Limit } from '../../core/limits.js';
import { formatDuration } from './duration.js';

export function limitWords(limit: Limit): string {
  const parts = limit.concurrency === null ? [] : [`${limit.concurrency} at a time`];
  if (limit.scope === 'capability' && limit.rate) {
    parts.push(`${limit.rate.max} in ${formatDuration(limit.rate.per)}`);
  }
  return `${limit.scope} ${limit.name}: ${parts.join(', ') || 'no limit'}`;
}
