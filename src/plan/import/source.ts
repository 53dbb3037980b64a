/** From text to values, whatever a file is written in: JSON, JSON Lines or YAML, told by its beginning. */
import { DroverError, messageOf } from '../../core/errors.js';
import { FlowProblems, ProblemList } from '../problems.js';
import { parseSyntax } from '../yaml-syntax.js';
import { buildValue } from '../yaml-value.js';
import type { JsonLine } from './beads.js';
import type { Source } from './detect.js';
import { isMap } from './fields.js';

/** Lines that one message names. */
const SHOWN = 10;

/**
 * @param asLines reads JSON Lines, also where one line is all there is
 * @throws DroverError `bad-input` with line numbers; FlowProblems where YAML cannot be read
 */
export function readSource(written: string, file: string, asLines: boolean): Source {
  const text = written.replace(/^\uFEFF/, '');
  const start = text.trimStart();
  if (start === '')
    throw new DroverError('bad-input', `${file} is empty.`, 'Name a file with a plan.');
  if (asLines || isJsonLines(start)) return { kind: 'lines', lines: readLines(text, file) };
  if (!start.startsWith('{') && !start.startsWith('[')) return readYaml(text, file);
  try {
    return { kind: 'value', value: JSON.parse(text) as unknown };
  } catch (error) {
    if (isDamagedJsonLines(text)) return { kind: 'lines', lines: readLines(text, file) };
    throw badJson(file, `${file} is no JSON${placeOf(error, text)}: ${messageOf(error)}`, error);
  }
}

/** One value a line: the first line is whole, and something follows it. */
function isJsonLines(text: string): boolean {
  const end = text.indexOf('\n');
  return end !== -1 && text.slice(end).trim() !== '' && isMap(parsed(text.slice(0, end)));
}

/** What most lines are wholes of, although the file is neither that nor one value. */
function isDamagedJsonLines(text: string): boolean {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.length > 1 && lines.filter((line) => isMap(parsed(line))).length * 2 >= lines.length;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readLines(text: string, file: string): JsonLine[] {
  const lines: JsonLine[] = [];
  const problems: string[] = [];
  let bad = 0;
  for (const [index, line] of text.split('\n').entries()) {
    const number = index + 1;
    if (line.trim() === '') continue;
    try {
      lines.push({ number, value: JSON.parse(line) as unknown });
    } catch (error) {
      bad += 1;
      if (problems.length < SHOWN) problems.push(`line ${number} ${reasonOf(line, error)}`);
    }
  }
  if (bad === 0) return lines;
  if (bad > SHOWN) problems.push(`and ${bad - SHOWN} more lines`);
  throw badJson(file, `${file} is no JSON Lines: ${problems.join('; ')}`);
}

function reasonOf(line: string, error: unknown): string {
  if (/^(<{7}|={7}|>{7})/.test(line)) return 'is the mark of a merge conflict in git';
  return `is no JSON (${messageOf(error)})`;
}

function placeOf(error: unknown, text: string): string {
  const [, position] = /position (\d+)/.exec(messageOf(error)) ?? [];
  if (position === undefined) return '';
  const before = text.slice(0, Number(position)).split('\n');
  return `, line ${before.length}, column ${before.at(-1)!.length + 1}`;
}

function readYaml(text: string, file: string): Source {
  const problems = new ProblemList();
  const { document, lines } = parseSyntax(text, problems);
  const value = document && buildValue(document, lines, problems);
  if (value && problems.size === 0) return { kind: 'value', value: value.value };
  throw new FlowProblems(
    problems.toProblems(file, (offset) => lines.linePos(offset)),
    [],
  );
}

const badJson = (file: string, message: string, cause?: unknown): DroverError =>
  new DroverError('bad-input', `${message}.`, `Mend ${file}; nothing was imported.`, { cause });
