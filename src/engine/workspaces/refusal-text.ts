/** Why work was not merged, in words for whoever does it again. Pure. */
import { counted } from '../../core/counted.js';
import type { MergeResult } from '../../workspace/merge.js';

/** Characters: an error goes through Redis, into the log and into the next attempt's context. */
const LONGEST = 20_000;

export function refusalText(result: Exclude<MergeResult, { kind: 'merged' }>): string {
  switch (result.kind) {
    case 'conflict': {
      const paths = result.conflicts.map(({ path }) => path).join(', ');
      const parts = result.conflicts.map(({ message, text }) =>
        text === undefined ? message : `${message}\n${text}`,
      );
      return bounded(
        `It conflicts with what was merged meanwhile, in ${paths}. Do it again on the present tip.\n${parts.join('\n')}`,
      );
    }
    case 'lost-lines': {
      const parts = result.losses.map(
        ({ path, lines, count }) =>
          `${path}: ${counted(count, 'line')}, such as\n${lines.join('\n')}`,
      );
      return bounded(
        `The merge would drop lines that the task never touched. Do it again on the present tip.\n${parts.join('\n')}`,
      );
    }
    case 'refused': {
      const parts = result.refusals.map(
        ({ path, problem, remedy }) => `${path} ${problem}. ${remedy}`,
      );
      return bounded(`It has what must not be merged.\n${parts.join('\n')}`);
    }
    case 'start-gone':
      return 'Its goal was rolled back behind where it started. Do it again on the present tip.';
    default:
      return result satisfies never;
  }
}

const bounded = (text: string): string =>
  text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… and more` : text;
