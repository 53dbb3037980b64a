/**
 * From text to YAML nodes, within bounds. The parser and the composer of `yaml` are driven by hand, because
 * composing recurses: nesting has to be measured on the flat syntax tree before, or a hostile file overflows
 * the stack (Node has been seen to abort on it).
 */
import {
  Composer,
  type CST,
  type Document,
  Lexer,
  LineCounter,
  Parser,
  type YAMLError,
} from 'yaml';
import type { ProblemList } from './problems.js';

/** Levels of nesting; beyond it a file is refused. */
export const MAX_DEPTH = 100;
/** Syntactic pieces (words, spaces, signs); a plan of 20,000 tasks has about a million. */
const MAX_PIECES = 1_500_000;

export interface Syntax {
  /** Undefined where the text is not YAML that can be used; the problems say why. */
  readonly document: Document.Parsed | undefined;
  readonly lines: LineCounter;
  /** What the text may mean otherwise than it reads, such as an unknown tag. */
  readonly warnings: readonly { offset: number; message: string }[];
}

export function parseSyntax(text: string, problems: ProblemList): Syntax {
  const lines = new LineCounter();
  const tokens = parseTokens(text, lines, problems);
  if (!tokens) return { document: undefined, lines, warnings: [] };
  const composer = new Composer({
    // Keys are names, so `1:` and `1.10:` mean the text that stands there.
    stringKeys: true,
    // Checked where the values are built, in linear time and naming both places.
    uniqueKeys: false,
    // A file cannot switch to the types of YAML 1.1, where `no` is false and dates are objects.
    schema: 'core',
    resolveKnownTags: false,
    lineCounter: lines,
    prettyErrors: false,
  });
  const [document, second] = [...composer.compose(tokens, true, text.length)];
  for (const error of document?.errors ?? []) {
    problems.add(error.pos[0], firstLine(error.message), remedyFor(error));
  }
  if (second) {
    problems.add(
      second.range[0],
      'a second YAML document begins here',
      'Put each flow into a file of its own.',
    );
  }
  return {
    document: problems.size === 0 ? document : undefined,
    lines,
    warnings: (document?.warnings ?? []).map(({ pos, message }) => ({ offset: pos[0], message })),
  };
}

function parseTokens(
  text: string,
  lines: LineCounter,
  problems: ProblemList,
): CST.Token[] | undefined {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: CST.Token[] = [];
  let pieces = 0;
  for (const piece of new Lexer().lex(text)) {
    pieces += 1;
    if (pieces > MAX_PIECES) {
      problems.add(
        parser.offset,
        `the file has more than ${MAX_PIECES.toLocaleString('en')} words and signs`,
        'Split the flow into several goals.',
      );
      return undefined;
    }
    tokens.push(...parser.next(piece));
  }
  tokens.push(...parser.end());
  const offset = tooDeep(tokens);
  if (offset === undefined) return tokens;
  problems.add(
    offset,
    `values are nested more than ${MAX_DEPTH} levels deep`,
    'Make the nesting flatter; a bracket or quote that is never closed can also look like this.',
  );
  return undefined;
}

/** The offset of the first token that is nested too deeply. */
function tooDeep(tokens: readonly CST.Token[]): number | undefined {
  let level: readonly CST.Token[] = tokens;
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return 'offset' in level[0]! ? level[0].offset : 0;
    level = level.flatMap((token) => {
      if (token.type === 'document') return token.value ? [token.value] : [];
      if (!('items' in token)) return [];
      return token.items.flatMap(({ key, value }) => [key, value].filter((part) => part != null));
    });
  }
  return undefined;
}

const firstLine = (message: string): string => message.split('\n', 1)[0]!.replace(/[.:]$/, '');

function remedyFor({ code }: YAMLError): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'Indent with spaces.';
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'Put the text in quotes if it contains a colon, or begin the map on a line of its own.';
    case 'BAD_INDENT':
      return 'Give entries of one map or list the same indentation, and close every bracket.';
    case 'MISSING_CHAR':
      return 'Look for a missing colon, quote or bracket, here or just before.';
    case 'NON_STRING_KEY':
      return 'Write the key as plain text.';
    default:
      return 'Correct the YAML here; a text with special characters goes into quotes.';
  }
}
