/** Why work was not merged, in words for whoever does it again, or for the person whose goal cannot land. Pure. */
import { counted, firstOf } from '../../core/counted.js';
import { goalBranch } from '../../workspace/branches.js';
import type { Blocked } from '../../workspace/checkouts.js';
import type { MergeResult } from '../../workspace/merge.js';

/** Characters: an error goes through Redis, into the log and into the next attempt's context. */
const LONGEST = 20_000;

type Refused = Exclude<MergeResult, { kind: 'merged' }>;

export const refusalText = (result: Refused): string =>
  refused(result, 'Do it again on the present tip.');

/** @param goal whose branch cannot go into `base` */
export const landingRefusal = (result: Refused, goal: string, base: string): string =>
  refused(
    result,
    `Merge ${goalBranch(goal)} into ${base} by hand, or roll ${goal} back; then approve ${goal} again.`,
  );

function refused(result: Refused, next: string): string {
  switch (result.kind) {
    case 'conflict': {
      const paths = result.conflicts.map(({ path }) => path).join(', ');
      const parts = result.conflicts.map(({ message, text }) =>
        text === undefined ? message : `${message}\n${text}`,
      );
      return bounded(
        `It conflicts with what was merged meanwhile, in ${paths}. ${next}\n${parts.join('\n')}`,
      );
    }
    case 'lost-lines': {
      const parts = result.losses.map(
        ({ path, lines, count }) =>
          `${path}: ${counted(count, 'line')}, such as\n${lines.join('\n')}`,
      );
      return bounded(
        `The merge would drop lines that the task never touched. ${next}\n${parts.join('\n')}`,
      );
    }
    case 'refused': {
      const parts = result.refusals.map(
        ({ path, problem, remedy }) => `${path} ${problem}. ${remedy}`,
      );
      return bounded(`It has what must not be merged.\n${parts.join('\n')}`);
    }
    case 'start-gone':
      return `Its goal was rolled back behind where it started. ${next}`;
    default:
      return result satisfies never;
  }
}

/** @param goal whose landing would change files that it must not */
export function dirtyText(goal: string, base: string, blocked: readonly Blocked[]): string {
  return `${base} is checked out, and its files cannot follow. ${blocked.map(blockedText).join(' ')} Then approve ${goal} again.`;
}

/** @param goal that has landed */
export function stayedText(goal: string, base: string, stayed: readonly Blocked[]): string {
  return `${base} has it, but not all files there. ${stayed.map(blockedText).join(' ')} Then approve ${goal} again.`;
}

/** Files that one line names. */
const NAMED = 10;

function blockedText({ dir, reason, files, remedy }: Blocked): string {
  const where = files.length === 0 ? '' : ` (${firstOf(files, NAMED)})`;
  return `In ${dir}: ${reason}${where}${remedy === undefined ? '' : ` ${remedy}`}`;
}

const bounded = (text: string): string =>
  text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… and more` : text;
