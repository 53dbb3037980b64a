/**
 * What a task may put into a tree.
 *
 * A tree is unpacked on other machines, where a path such as `.GIT/config`, a link that leads out or a nested
 * repository does harm that nobody asked for. Only what a task adds or changes is looked at: what the project
 * had before is the project's affair.
 */
import type { Change } from './changes.js';
import type { Repository } from './repository.js';
import { ABSENT } from './trees.js';

export interface Refusal {
  readonly path: string;
  /** What is wrong with it, to follow the path in a sentence. */
  readonly problem: string;
  /** What to do about it, as a sentence. */
  readonly remedy: string;
}

const LINK = '120000';
const NESTED = '160000';
const FILES = new Set(['100644', '100755']);
/** Bytes in one component of a path, and in a whole path, as common file systems have it. */
const LONGEST_NAME = 255;
const LONGEST_PATH = 4_000;
/** Characters that HFS+ leaves out when it compares names. */
const INVISIBLE = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** Files by which git is told what to do: a link in their place would lead it elsewhere. */
const GIT_FILES = new Set(['.gitmodules', '.gitattributes', '.gitignore', '.mailmap']);

/** Everything that speaks against these changes; empty where nothing does. */
export async function refusalsOf(
  repository: Repository,
  changes: readonly Change[],
): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  for (const change of changes) {
    if (change.newMode === ABSENT) {
      if (change.oldMode === NESTED) refusals.push(nested(change.path));
      continue;
    }
    const found = pathRefusal(change.path) ?? modeRefusal(change);
    if (found) refusals.push(found);
    else if (change.newMode === LINK) {
      const target = await repository.store.get(change.newObject);
      const refused = linkRefusal(change.path, target.content.toString());
      if (refused) refusals.push(refused);
    }
  }
  return refusals;
}

/** Undefined where any system can hold a file of this path, and none takes it for git's own. */
export function pathRefusal(path: string): Refusal | undefined {
  const remedy = 'Rename it, or leave it out of the work with .gitignore.';
  const refuse = (problem: string): Refusal => ({ path, problem, remedy });
  if (path.includes('\uFFFD')) return refuse('is not written in UTF-8');
  if (path.includes('\\')) return refuse('has a backslash, which is a folder elsewhere');
  if (Buffer.byteLength(path) > LONGEST_PATH) return refuse('is too long');
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..') return refuse(`has the part ‘${part}’`);
    if (isGitFolder(part)) return refuse('would lie in a `.git` folder');
    if (Buffer.byteLength(part) > LONGEST_NAME) return refuse('has a part that is too long');
  }
  return undefined;
}

/** Whether some system takes the name for git's own folder. */
export function isGitFolder(part: string): boolean {
  const plain = part.replace(INVISIBLE, '').toLowerCase();
  // NTFS leaves out dots and spaces at the end, and what follows a colon names a stream of the same folder.
  const onNtfs = plain.replace(/:.*$/s, '').replace(/[. ]+$/, '');
  return plain === '.git' || onNtfs === '.git' || onNtfs === 'git~1';
}

function modeRefusal({ path, oldMode, newMode }: Change): Refusal | undefined {
  if (newMode === NESTED || oldMode === NESTED) return nested(path);
  if (FILES.has(newMode)) return undefined;
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  if (newMode === LINK) {
    if (!GIT_FILES.has(name)) return undefined;
    const remedy = 'Write a plain file.';
    return { path, problem: 'is a symbolic link where git expects a file', remedy };
  }
  return { path, problem: `has the mode ${newMode}`, remedy: 'Write a plain file.' };
}

const nested = (path: string): Refusal => ({
  path,
  problem: 'is a repository in the repository, and would be added, moved or removed',
  remedy: 'Leave submodules as they are; remove a cloned repository, or name it in .gitignore.',
});

/**
 * A link may lead up first and down then. Only so is the place it names the place it reaches: after a link to a
 * folder, `..` means that folder's parent.
 */
function linkRefusal(path: string, target: string): Refusal | undefined {
  const remedy = 'Link to a path inside the project, relative to the link.';
  const refuse = (problem: string): Refusal => ({ path, problem, remedy });
  if (/^(?:[/\\~]|[A-Za-z]:)/.test(target)) return refuse('is a symbolic link to an absolute path');
  if (target === '' || target.includes('\0') || target.length > LONGEST_PATH)
    return refuse('is a symbolic link to no possible path');
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const down = parts.findIndex((part) => part !== '..');
  const ups = down === -1 ? parts.length : down;
  if (down !== -1 && parts.indexOf('..', down) !== -1)
    return refuse('is a symbolic link that goes up after it went down');
  if (ups > path.split('/').length - 1) return refuse('is a symbolic link out of the project');
  if (parts.some((part) => isGitFolder(part))) return refuse('is a symbolic link into `.git`');
  return undefined;
}
