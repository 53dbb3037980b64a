/** What a task waits for that could be claimed, in words. */
import { counted, firstOf } from '../../core/counted.js';
import type { Wait } from '../../projections/waits.js';
import { formatDuration } from './duration.js';
import { oneLine } from './text.js';

/** Tasks that are named at most. */
const NAMED = 3;

export function pendingWords(wait: Wait): string {
  switch (wait.kind) {
    case 'pause':
      return `held: ${oneLine(wait.of)} is paused`;
    case 'agents':
      return `no agent offers ${wait.of}`;
    case 'limit': {
      const { of, limit, by } = wait;
      if (of.startsWith('capability '))
        return `waits for ${of}: limit ${limit}, ${by.length} running`;
      return `waits for a slot of ${oneLine(of)} (limit ${limit}, held by ${firstOf(by, NAMED)})`;
    }
    case 'rate':
      return `waits for capability ${wait.of}: its rate is used up, the next begins in ${formatDuration(wait.next)}`;
    case 'turn':
      return `behind ${counted(wait.ahead, 'other')}`;
    default:
      return wait satisfies never;
  }
}
