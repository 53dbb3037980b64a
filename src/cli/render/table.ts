/** Columns of text. */
import { paint, type Style } from './paint.js';
import { columnsOf, padEnd, truncate } from './text.js';

/** A cell's text, and how it is coloured: widths are reckoned without colours. */
export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

export const cell = (text: string, style?: Style): Cell => (style ? { text, style } : { text });

export interface TableOptions {
  /** Columns of the terminal; lines are cut there. Unlimited unless given. */
  readonly width?: number | undefined;
  readonly heading?: readonly string[];
}

const GAP = '  ';

/** One line a row; every column is as wide as its widest cell. */
export function renderTable(
  rows: readonly (readonly Cell[])[],
  options: TableOptions = {},
): string[] {
  const { heading, width = Number.POSITIVE_INFINITY } = options;
  const all = heading ? [heading.map((text) => cell(text, 'gray')), ...rows] : rows;
  const widths: number[] = [];
  for (const row of all) {
    for (const [index, { text }] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, columnsOf(text));
    }
  }
  return all.map((row) => renderRow(row, widths, width));
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
