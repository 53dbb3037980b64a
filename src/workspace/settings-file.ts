/** Reads a settings file: YAML that a schema describes, with line and column of whatever is wrong. */
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { DroverError, messageOf } from '../core/errors.js';

/** Characters. */
const MAX_LENGTH = 65_536;

export interface SettingsFile<T> {
  /** As people know it. */
  readonly name: string;
  readonly schema: z.ZodType<T>;
  /** What may stand in it, as a sentence. */
  readonly remedy: string;
}

/** @throws DroverError `bad-input`, one line a problem: `drover.yaml:line:column: what`. */
export function parseSettings<T>(text: string, { name, schema, remedy }: SettingsFile<T>): T {
  const bad = (problems: readonly string[]): DroverError =>
    new DroverError(
      'bad-input',
      problems.map((problem) => `${name}:${problem}`).join('\n'),
      remedy,
    );
  if (text.length > MAX_LENGTH) throw bad([`1:1: it is longer than ${MAX_LENGTH} characters`]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number, message: string): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}: ${message}`;
  };
  if (document.errors.length > 0) {
    throw bad(document.errors.map((error) => at(error.pos[0], error.message)));
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Aliases to nothing, or to more than can be meant.
    throw bad([`1:1: ${messageOf(error)}`]);
  }
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  throw bad(
    parsed.error.issues.map((issue) => {
      const path = issue.path.map(String);
      const where = issue.code === 'unrecognized_keys' ? [...path, issue.keys[0]!] : path;
      const subject = issue.path.length > 0 ? `\`${path.join('.')}\`: ` : '';
      return at(offsetOf(document, where), subject + issue.message);
    }),
  );
}

/** Where the value at a path stands, or the nearest value around it. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly string[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (node instanceof Object && 'range' in node && Array.isArray(node.range))
      return Number(node.range[0]);
  }
  return 0;
}
