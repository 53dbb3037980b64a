/** What `git merge-tree -z` answers, and the conflicts in it as a next attempt can read them. */
import type { Repository } from './repository.js';
import { fileIn } from './trees.js';

export interface Conflict {
  readonly path: string;
  /** What kind, in git's words: `content`, `modify/delete`, `add/add`, `binary`… */
  readonly kind: string;
  /** Git's sentence about it. */
  readonly message: string;
  /**
   * The places in the file with both sides and what they started from, between the usual marks; a part of them
   * where they are long. Undefined where the conflict is not in the file's text.
   */
  readonly text?: string;
}

interface Answer {
  readonly tree: string;
  readonly messages: readonly Message[];
  readonly files: readonly string[];
}

interface Message {
  readonly paths: readonly string[];
  readonly type: string;
  readonly text: string;
}

/** Characters of one conflict's text, and how many conflicts have one. */
const LONGEST_TEXT = 4_000;
const MOST_TEXTS = 20;
/** Lines before and after each place. */
const AROUND = 3;

export function parseMergeTree(output: string): Answer {
  const fields = output.split('\0');
  const tree = fields[0]!.trim();
  const files = new Set<string>();
  let at = 1;
  for (; at < fields.length && fields[at] !== ''; at += 1) {
    files.add(fields[at]!.slice(fields[at]!.indexOf('\t') + 1));
  }
  const messages: Message[] = [];
  for (at += 1; at < fields.length && /^\d+$/.test(fields[at]!);) {
    const paths = fields.slice(at + 1, at + 1 + Number(fields[at]));
    at += 1 + paths.length;
    messages.push({ paths, type: fields[at] ?? '', text: (fields[at + 1] ?? '').trim() });
    at += 2;
  }
  return { tree, messages, files: [...files] };
}

/** The conflicts of an answer, with their texts as the tree of the answer has them. */
export async function conflictsIn(repository: Repository, answer: Answer): Promise<Conflict[]> {
  const conflicts: Conflict[] = [];
  for (const { paths, type, text } of answer.messages) {
    const kind = /^CONFLICT \((.+)\)$/.exec(type)?.[1];
    if (kind === undefined) continue;
    const path = paths[0] ?? '';
    const marks =
      conflicts.length < MOST_TEXTS ? await marked(repository, answer.tree, path) : undefined;
    conflicts.push({
      path,
      kind: kind === 'contents' ? 'content' : kind,
      message: text,
      ...(marks !== undefined && { text: marks }),
    });
  }
  const told = new Set(conflicts.map(({ path }) => path));
  for (const path of answer.files.filter((file) => !told.has(file))) {
    conflicts.push({ path, kind: 'content', message: `${path} cannot be merged.` });
  }
  return conflicts;
}

async function marked(
  repository: Repository,
  tree: string,
  path: string,
): Promise<string | undefined> {
  const text = await fileIn(repository, tree, path);
  return text === undefined ? undefined : conflictParts(text);
}

/** The marked places of a text with a few lines around them. */
function conflictParts(text: string): string | undefined {
  const lines = text.split('\n');
  const wanted = new Set<number>();
  let inside = false;
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('<<<<<<< ')) inside = true;
    if (inside) for (let near = index - AROUND; near <= index + AROUND; near += 1) wanted.add(near);
    if (line.startsWith('>>>>>>> ')) inside = false;
  }
  if (wanted.size === 0) return undefined;
  const parts: string[] = [];
  let length = 0;
  let last = -1;
  for (const [index, line] of lines.entries()) {
    if (!wanted.has(index)) continue;
    if (index !== last + 1) parts.push(`@@ line ${index + 1} @@`);
    last = index;
    parts.push(line);
    length += line.length + 1;
    if (length > LONGEST_TEXT) return `${parts.join('\n').slice(0, LONGEST_TEXT)}\n… and more`;
  }
  return parts.join('\n');
}
