/** What changed, for people: files with lines added and removed, and the text in colours. */
import { counted } from '../../core/counted.js';
import type { Diff, FileStat } from '../../workspace/diff.js';
import { hasColours, paint, type Style } from './paint.js';
import { cell, renderTable } from './table.js';
import { oneLine, revealed } from './text.js';

export function renderStat(files: readonly FileStat[]): string[] {
  const rows = files.map(({ path, before, added, removed }) => [
    cell(`  ${oneLine(before === undefined ? path : `${before} → ${path}`)}`),
    ...(added === undefined
      ? [cell('binary', 'gray')]
      : [cell(`+${added}`, 'green'), cell(`-${removed}`, 'red')]),
  ]);
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  return [...renderTable(rows, { width }), statLine(files)];
}

function statLine(files: readonly FileStat[]): string {
  const sum = (of: (file: FileStat) => number | undefined): number =>
    files.reduce((total, file) => total + (of(file) ?? 0), 0);
  return `${counted(files.length, 'file')} changed, +${sum(({ added }) => added)} -${sum(({ removed }) => removed)}`;
}

const STYLES: readonly (readonly [start: RegExp, style: Style])[] = [
  [
    /^(?:diff |index |---|\+\+\+|similarity|rename |new file|deleted file|old mode|new mode)/,
    'bold',
  ],
  [/^@@/, 'cyan'],
  [/^\+/, 'green'],
  [/^-/, 'red'],
];

/** The text as git has it; plain where nobody looks, so that `git apply` takes it. */
export function renderDiff({ text, isCut }: Diff): string {
  const cut = isCut ? '\n… and more: see it with git.' : '';
  if (!hasColours(process.stdout)) return `${text.replace(/\n$/, '')}${cut}`;
  const lines = text.replace(/\n$/, '').split('\n');
  return `${lines.map(painted).join('\n')}${cut}`;
}

function painted(line: string): string {
  const shown = revealed(line);
  const style = STYLES.find(([start]) => start.test(shown))?.[1];
  return style ? paint(style, shown) : shown;
}
