/** What a project's `drover.yaml` says. The file is optional, and so is everything in it. */
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { DroverError, messageOf } from '../core/errors.js';
import { DROVER_AUTHOR } from './git.js';
import type { Project } from './project.js';
import { readProjectFile } from './project-files.js';

export const SETTINGS_FILE = 'drover.yaml';
/** Characters. */
const MAX_LENGTH = 65_536;

/** git cuts these marks and line ends out of names, and fails where nothing is left. */
const authorPart = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^<>\n\r\0]+$/, { error: "must be one line without '<' and '>'" });

export const projectSettingsSchema = z.strictObject({
  /** Whether `tasks/task-123.md` is written for each finished task. */
  taskPages: z.boolean().default(true),
  /** Whether STATE.yaml and task pages are committed. */
  commitState: z.boolean().default(true),
  /** Who makes Drover's commits. */
  author: z.strictObject({ name: authorPart, email: authorPart }).default(DROVER_AUTHOR),
});
export type ProjectSettings = z.infer<typeof projectSettingsSchema>;

/** @throws DroverError `bad-input`, one line a problem: `drover.yaml:line:column: what`. */
export async function readProjectSettings(project: Project): Promise<ProjectSettings> {
  const text = await readProjectFile(project, SETTINGS_FILE);
  return text === undefined ? projectSettingsSchema.parse({}) : parseProjectSettings(text);
}

/** @throws DroverError `bad-input` */
export function parseProjectSettings(text: string): ProjectSettings {
  if (text.length > MAX_LENGTH)
    throw badSettings([`1:1: it is longer than ${MAX_LENGTH} characters`]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number, message: string): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}: ${message}`;
  };
  if (document.errors.length > 0) {
    throw badSettings(document.errors.map((error) => at(error.pos[0], error.message)));
  }
  const parsed = projectSettingsSchema.safeParse(valueOf(document) ?? {});
  if (parsed.success) return parsed.data;
  throw badSettings(
    parsed.error.issues.map((issue) => {
      const path = issue.path.map(String);
      const where = issue.code === 'unrecognized_keys' ? [...path, issue.keys[0]!] : path;
      const subject = issue.path.length > 0 ? `\`${path.join('.')}\`: ` : '';
      return at(offsetOf(document, where), subject + issue.message);
    }),
  );
}

function valueOf(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Aliases to nothing, or to more than can be meant.
    throw badSettings([`1:1: ${messageOf(error)}`]);
  }
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

function badSettings(problems: readonly string[]): DroverError {
  return new DroverError(
    'bad-input',
    problems.map((problem) => `${SETTINGS_FILE}:${problem}`).join('\n'),
    `Correct ${SETTINGS_FILE}. It may set taskPages and commitState (true or false), and author with name and email.`,
  );
}
