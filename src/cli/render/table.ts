/** Columns of text. */
import { paint, type Style } from './paint.js';
import { columnsOf, harmless, padEnd, truncate, wrapped } from './text.js';

/** A cell's text, and how it is coloured: widths are reckoned without colours. */
export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

/** The text may be anybody's: whatever a listing shows comes through here. */
export function cell(foreign: string, style?: Style): Cell {
  const text = harmless(foreign);
  return style ? { text, style } : { text };
}

export interface TableOptions {
  /** Columns of the terminal; lines are cut there. Unlimited unless given. */
  readonly width?: number | undefined;
  /** The last column goes on in further lines in place of being cut: it says what a person has to know. */
  readonly wrap?: boolean;
  readonly heading?: readonly string[];
}

const GAP = '  ';
/** Columns that a wrapped cell needs beside the others; where there are fewer it begins a line of its own. */
const ROOM = 30;
const INDENT = '    ';

/** One line a row unless it is wrapped; every column is as wide as its widest cell. */
export function renderTable(
  rows: readonly (readonly Cell[])[],
  options: TableOptions = {},
): string[] {
  const { heading, width = Number.POSITIVE_INFINITY, wrap = false } = options;
  const all = heading ? [heading.map((text) => cell(text, 'gray')), ...rows] : rows;
  const widths: number[] = [];
  for (const row of all) {
    for (const [index, { text }] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, columnsOf(text));
    }
  }
  if (!wrap) return all.map((row) => renderRow(row, widths, width));
  return all.flatMap((row) => wrapRow(row, widths, width));
}

function wrapRow(row: readonly Cell[], widths: readonly number[], width: number): string[] {
  const last = row.at(-1)!;
  const before = widths.slice(0, -1).reduce((sum, one) => sum + one + GAP.length, 0);
  if (before + columnsOf(last.text) <= width) return [renderRow(row, widths, width)];
  const isBeside = width - before >= ROOM;
  const indent = isBeside ? ' '.repeat(before) : INDENT;
  const lines = wrapped(last.text, Math.max(1, width - indent.length));
  const further = (line: string): string => indent + (last.style ? paint(last.style, line) : line);
  if (!isBeside) return [renderRow(row.slice(0, -1), widths, width), ...lines.map(further)];
  const first = renderRow([...row.slice(0, -1), { ...last, text: lines[0]! }], widths, width);
  return [first, ...lines.slice(1).map(further)];
}

function renderRow(row: readonly Cell[], widths: readonly number[], width: number): string {
  let line = '';
  let left = width;
  for (const [index, { text, style }] of row.entries()) {
    const last = index === row.length - 1;
    const gap = index === 0 ? '' : GAP;
    if (left <= gap.length) break;
    left -= gap.length;
    const padded = last ? text : padEnd(text, widths[index]!);
    const shown = truncate(padded, left);
    left -= columnsOf(shown);
    line += gap + (style && shown !== '' ? paint(style, shown) : shown);
  }
  return line.trimEnd();
}
