/** Text in columns of a terminal. */
import { plainText } from '../../agents/plain-text.js';

/** Characters that take two columns; the rest of what a plan's names may hold takes one or none. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const NONE = /\p{Mark}|\p{Default_Ignorable_Code_Point}/u;

export function columnsOf(text: string): number {
  // Most text is plain ASCII, and a large goal has much of it.
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += WIDE.test(character) ? 2 : NONE.test(character) ? 0 : 1;
  return columns;
}

/** At most so many columns, with an ellipsis where something is missing. */
export function truncate(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const character of text) {
    width += columnsOf(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return columns > 0 ? `${kept}…` : '';
}

export const padEnd = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - columnsOf(text)));

/** Foreign text (a title, an error) on one line, without what would move the terminal's cursor. */
export const oneLine = (text: string): string => plainText(text).replace(/\s+/g, ' ').trim();
