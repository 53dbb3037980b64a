/** Which system a file comes from, told by its shape. */
import { isIssue, type JsonLine } from './beads.js';
import { isMap } from './fields.js';

export const FORMATS = [
  'taskmaster',
  'beads',
  'auto-claude',
  'blackbox5',
  'wfcommons',
  'github-actions',
  'flow',
] as const;
export type Format = (typeof FORMATS)[number];

/** A file, read as far as it can be without knowing its format. */
export type Source =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'lines'; readonly lines: readonly JsonLine[] };

/** The format, or undefined where the file looks like none of them. */
export function detectFormat(source: Source): Format | undefined {
  if (source.kind === 'lines')
    return source.lines.some(({ value }) => isIssue(value)) ? 'beads' : undefined;
  const { value } = source;
  // One issue alone is a line as well.
  if (isIssue(value)) return 'beads';
  if (!isMap(value)) return undefined;
  if (isMap(value['workflow'])) return 'wfcommons';
  if (Array.isArray(value['phases'])) return 'auto-claude';
  if (isMap(value['jobs'])) return 'github-actions';
  if (Array.isArray(value['tasks'])) return isQueue(value) ? 'blackbox5' : 'taskmaster';
  if (isMap(value['tasks']) && !Array.isArray(value['tasks']['tasks'])) return 'flow';
  const lists = Object.values(value).filter((list) => isMap(list) && Array.isArray(list['tasks']));
  return lists.length > 0 ? 'taskmaster' : undefined;
}

function isQueue(value: Readonly<Record<string, unknown>>): boolean {
  const tasks = value['tasks'] as readonly unknown[];
  return tasks.some(
    (task) => isMap(task) && ('blockedBy' in task || 'blocks' in task || 'parallel_group' in task),
  );
}
