/**
 * People's comments in STATE.yaml: where they are found, and where they go when their key has gone.
 *
 * Invariants kept here: 8 (no comment is lost with its key).
 */
import { isMap, isPair, isScalar, parseDocument, visit } from 'yaml';
import { type Comments, commentsAt, HEADER, readLines } from './state-lines.js';
import type { StateFile } from './state-schema.js';

/** The comments in a text; none where it is no YAML (it is kept as a whole elsewhere then). */
export function commentsOf(text: string): Comments {
  return readLines(text)?.comments ?? commentsInYaml(text);
}

function commentsInYaml(text: string): Comments {
  const comments: Comments = new Map();
  const document = parseDocument(text);
  if (document.errors.length > 0) return comments;
  const add = (path: string, block: string | null | undefined): void => {
    if (!block) return;
    const lines = block.split('\n').map((line) => `#${line}`.trimEnd());
    const own = lines.filter((line) => !HEADER.includes(line));
    if (own.length > 0) commentsAt(comments, path).before.push(...own);
  };
  const pathOf = (nodes: readonly unknown[]): string =>
    nodes
      .filter(isPair)
      .map(({ key }) => (isScalar(key) ? String(key.value) : ''))
      .join('/');
  add('version', document.commentBefore);
  visit(document, {
    Node(place, node, ancestors) {
      const path = pathOf(ancestors);
      const first = isMap(node) ? node.items[0] : undefined;
      add(first ? pathOf([...ancestors, first]) : path, node.commentBefore);
      const { comment } = node;
      if (place === 'value' && isScalar(node) && comment && !comment.includes('\n')) {
        commentsAt(comments, path).inline = `#${comment}`.trimEnd();
      } else {
        add(path, comment);
      }
    },
  });
  add('', document.comment);
  return comments;
}

/** Moves the comments of keys that the file no longer has to the next key above. */
export function anchor(comments: Comments, goals: StateFile['goals']): void {
  const moved: [target: string, lines: string[]][] = [];
  for (const [path, { before, inline, after }] of comments) {
    const target = survivor(path, goals);
    if (target === path) continue;
    comments.delete(path);
    const lines = [...before, inline ?? '', ...after].filter((line) => line !== '');
    // At the end of the file nothing else would tell what a comment was about.
    const name = path.split('/')[1] ?? path;
    moved.push([target, target === '' ? lines.map((line) => `# ${name}:${line.slice(1)}`) : lines]);
  }
  for (const [target, lines] of moved) commentsAt(comments, target).before.push(...lines);
}

const TOP = new Set(['', 'version', 'project', 'seq', 'goals']);

function survivor(path: string, goals: StateFile['goals']): string {
  if (TOP.has(path)) return path;
  const [top, id = '', key = '', task = '', field = ''] = path.split('/');
  const goal = top === 'goals' && Object.hasOwn(goals, id) ? goals[id] : undefined;
  if (!goal) return '';
  if (!goal.tasks || !Object.hasOwn(goal, key)) return `goals/${id}`;
  if (task === '') return path;
  const entry = Object.hasOwn(goal.tasks, task) ? goal.tasks[task] : undefined;
  if (!entry) return `goals/${id}`;
  return field === '' || Object.hasOwn(entry, field) ? path : `goals/${id}/tasks/${task}`;
}
