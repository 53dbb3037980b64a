/** What differs between two trees, by path. */
import type { Repository } from './repository.js';

export interface Change {
  readonly path: string;
  /** Octal as git writes them; `000000` where the path is not there. */
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldObject: string;
  readonly newObject: string;
}

export const ABSENT = '000000';

/** Every path that differs, in git's order. A renamed file is one that went and one that came. */
export async function changesBetween(
  { objects }: Repository,
  from: string,
  to: string,
): Promise<Change[]> {
  if (from === to) return [];
  const output = await objects.run([
    'diff-tree',
    '-r',
    '-z',
    '--raw',
    '--no-abbrev',
    '--no-renames',
    '--no-commit-id',
    from,
    to,
    '--',
  ]);
  const fields = output.split('\0');
  const changes: Change[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [oldMode, newMode, oldObject, newObject] = fields[at]!.slice(1).split(' ');
    changes.push({
      path: fields[at + 1]!,
      oldMode: oldMode!,
      newMode: newMode!,
      oldObject: oldObject!,
      newObject: newObject!,
    });
  }
  return changes;
}
