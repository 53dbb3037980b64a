/** What a check came to. */
import type { AgentEvent } from '../core/events.js';

/** A check's result as the log keeps it. */
export type CheckResult = Omit<AgentEvent & { type: 'check.finished' }, 'type'>;

/** What a check that has not passed came to, to follow an article. */
export function failureOf({ command, exitCode, output }: CheckResult): string {
  const how = exitCode === null ? 'could not be run to its end' : `ended with ${exitCode}`;
  const last = lastLines(output);
  return `check \`${command}\` ${how}${last === '' ? ', without a word.' : `: ${last}`}`;
}

const lastLines = (output: string): string =>
  output.trim().split('\n').slice(-3).join(' | ').slice(-500);
