/** What is wrong with a flow file, collected so that one reading names everything. */
import { alike, someOf } from '../core/alike.js';
import { counted } from '../core/counted.js';
import { DroverError } from '../core/errors.js';

/** One thing that is wrong, and how to mend it. Lines and columns count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What is wrong, without a full stop. */
  readonly message: string;
  /** What to do about it, as a sentence. */
  readonly remedy: string;
}

/** An error's message names this many problems at most; `problems` has them all. */
const SHOWN = 100;
const QUOTED = 80;

/** A flow file that cannot be used, with everything that is wrong with it in the order of the file. */
export class FlowProblems extends DroverError {
  /** @param warnings what its author should know besides */
  constructor(
    readonly problems: readonly Problem[],
    readonly warnings: readonly Problem[],
  ) {
    const lines = problemLines(problems);
    const left = lines.splice(SHOWN).length;
    if (left > 0) lines.push(`and ${counted(left, 'more problem')}`);
    super('bad-plan', lines.join('\n'));
    this.name = 'FlowProblems';
  }
}

/**
 * `file:line:column: what. remedy`, the form that editors and terminals turn into a link. What is wrong in
 * the same way at many places is one line, which counts them and names the next few.
 */
export function problemLines(problems: readonly Problem[]): string[] {
  const saying = ({ file, message, remedy }: Problem): string =>
    JSON.stringify([file, message, remedy]);
  return alike(problems, saying).map(([first, ...others]) => {
    const { file, line, column, message, remedy } = first;
    const places = someOf(others.map((other) => `${other.line}:${other.column}`));
    const also = others.length === 0 ? '' : ` (${others.length + 1} times; also at ${places})`;
    return `${file}:${line}:${column}: ${message}. ${remedy}${also}`;
  });
}

/** Gathers problems by their offset in the text. The same problem at the same place counts once. */
export class ProblemList {
  private readonly found = new Map<string, { offset: number; message: string; remedy: string }>();

  get size(): number {
    return this.found.size;
  }

  /** @param complaint the message without the name of whom it is about, which an alias may share with others */
  add(offset: number, message: string, remedy: string, complaint = message): void {
    // A shared anchor and a matrix both lead to one place many times over.
    const key = `${offset} ${complaint}`;
    if (!this.found.has(key)) this.found.set(key, { offset, message, remedy });
  }

  /** @param position line and column of an offset, from 1 */
  toProblems(file: string, position: (offset: number) => { line: number; col: number }): Problem[] {
    return [...this.found.values()]
      .toSorted((a, b) => a.offset - b.offset)
      .map(({ offset, message, remedy }) => {
        const { line, col } = position(offset);
        return { file, line, column: col, message, remedy };
      });
  }
}

/** Text from a file, safe to print: short, on one line, without control characters. */
export function plain(text: string): string {
  const clipped = text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text;
  // eslint-disable-next-line no-control-regex -- they would let a file write to the reader's terminal
  return clipped.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\uFFFD');
}

export const quote = (text: string): string => `\`${plain(text)}\``;
