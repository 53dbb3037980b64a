/**
 * The lines of STATE.yaml as Drover writes them: one `key: value` each, two spaces a level. Reading back that
 * form, with people's comments, takes no YAML parser.
 *
 * That is for speed. With a goal of 10,000 tasks (2.8 MB), parsing into a YAML document took 2.0 s and
 * printing it 0.6 s; these lines are read in about 0.1 s and written in less. Whatever else people make of
 * the file is left to the parser.
 */
import { parse } from 'yaml';

/** A person's comments at one key: whole lines, each with its `#`, or empty for a blank one between two. */
export interface KeyComments {
  before: string[];
  /** On the key's own line. */
  inline: string | null;
  /** Below the key, where no key of its level follows. */
  after: string[];
}

/** Comments by their key's path, such as `goals/goal-7/state`; those at the end of the file have no path. */
export type Comments = Map<string, KeyComments>;

export const HEADER: readonly string[] = [
  "# What Drover's log says about this project: goals, their tasks and how far they are.",
  '# Drover rewrites the values whenever they change, and keeps the comments that you add.',
];

export function commentsAt(comments: Comments, path: string): KeyComments {
  const known = comments.get(path);
  if (known) return known;
  const created: KeyComments = { before: [], inline: null, after: [] };
  comments.set(path, created);
  return created;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** Words, perhaps after a count such as `7/10`: never a number, a date or an indicator of YAML's. */
const PLAIN = /^(?:\d+\/\d+ )?[A-Za-z_][\w./@()+-]*(?:,? [\w./@()+-]+)*$/;
/** What YAML 1.1 or 1.2 takes for something else than text. */
const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

const isPlain = (text: string): boolean =>
  TIME.test(text) || (PLAIN.test(text) && !RESERVED.test(text));

export type Value = string | number | boolean | readonly string[];

/** A value on one line. JSON's strings are YAML's double-quoted ones. */
export function valueText(value: Value, isInFlow = false): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') {
    return isPlain(value) && !(isInFlow && value.includes(',')) ? value : JSON.stringify(value);
  }
  return `[${value.map((item) => valueText(item, true)).join(', ')}]`;
}

const KEY_LINE = /^( *)([A-Za-z][\w-]*):(?:[ \t]+(.*))?$/;
/** A quoted text, a list, a map on one line, or plain words; then perhaps a comment. */
const REST =
  /^("[^"\\]*(?:\\.[^"\\]*)*"|\[[^\]"#]*\]|\{[^"{}#]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^"{}#]*)*\}|[^"#[{]*?)(?:(?:^|[ \t]+)(#.*))?[ \t]*$/;
const COMMENT_LINE = /^( *)(#.*)$/;

interface Level {
  readonly path: string;
  readonly data: Record<string, unknown>;
}

/** The data and the comments, or undefined where a line has another form than Drover's. */
export function readLines(text: string): { data: unknown; comments: Comments } | undefined {
  const comments: Comments = new Map();
  const root: Level = { path: '', data: {} };
  const levels = [root];
  let pending: Pending[] = [];
  let last = '';
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') {
      if (pending.length > 0) pending.push({ indent: pending.at(-1)!.indent, text: '' });
      continue;
    }
    const comment = COMMENT_LINE.exec(line);
    if (comment) {
      const [, indent = '', own = ''] = comment;
      if (!HEADER.includes(own)) pending.push({ indent: indent.length, text: own.trimEnd() });
      continue;
    }
    const [, indent, key, rest = ''] = KEY_LINE.exec(line) ?? [];
    const [, value, inline] = REST.exec(rest) ?? [];
    if (indent === undefined || key === undefined || value === undefined) return undefined;
    const depth = indent.length / 2;
    const parent = levels[depth];
    if (!parent || Object.hasOwn(parent.data, key)) return undefined;
    levels.length = depth + 1;
    const path = parent.path === '' ? key : `${parent.path}/${key}`;
    if (value === '') {
      const level: Level = { path, data: {} };
      parent.data[key] = level.data;
      levels.push(level);
    } else {
      const read = readValue(value);
      if (read === undefined) return undefined;
      parent.data[key] = read;
    }
    if (pending.length > 0) attach(comments, pending, { last, next: path, indent: indent.length });
    pending = [];
    if (inline !== undefined) commentsAt(comments, path).inline = inline.trimEnd();
    last = path;
  }
  if (pending.length > 0) attach(comments, pending, { last, next: '', indent: 0 });
  return { data: root.data, comments };
}

interface Pending {
  readonly indent: number;
  readonly text: string;
}

/** Comments that are indented deeper than the next key belong to what stands above them. */
function attach(
  comments: Comments,
  pending: readonly Pending[],
  { last, next, indent }: { last: string; next: string; indent: number },
): void {
  const first = pending.findIndex((comment) => comment.indent <= indent);
  const split = first === -1 ? pending.length : first;
  const above = withoutOuterBlanks(pending.slice(0, split).map(({ text }) => text));
  const below = withoutOuterBlanks(pending.slice(split).map(({ text }) => text));
  if (above.length > 0) commentsAt(comments, last).after.push(...above);
  if (below.length > 0) commentsAt(comments, next).before.push(...below);
}

function withoutOuterBlanks(lines: readonly string[]): string[] {
  const isText = (line: string): boolean => line !== '';
  return lines.slice(Math.max(0, lines.findIndex(isText)), lines.findLastIndex(isText) + 1);
}

function readValue(text: string): unknown {
  try {
    if (text.startsWith('"')) return JSON.parse(text);
    if (text.startsWith('{')) return parse(text);
    if (text.startsWith('[')) return readList(text.slice(1, -1));
  } catch {
    return undefined;
  }
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return isPlain(text) ? text : undefined;
}

function readList(text: string): string[] | undefined {
  if (text === '') return [];
  const items = text.split(', ');
  return items.every((item) => isPlain(item)) ? items : undefined;
}
