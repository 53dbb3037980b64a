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

/** What turns the direction of the text behind it, so that a line reads as it is not. */
const TURNING = /\p{Bidi_Control}/gu;

/** Foreign text without what would move the terminal's cursor or turn the line around. */
export const harmless = (text: string): string => plainText(text).replace(TURNING, '');

/** Foreign text (a title, an error), harmless and on one line. */
export const oneLine = (text: string): string => harmless(text).replace(/\s+/g, ' ').trim();

/** A line of a file, in which whoever reviews it sees what would turn it around. */
export const revealed = (line: string): string =>
  line
    .replaceAll(/(?!\t)\p{Cc}/gu, '')
    .replace(TURNING, (sign) => `<U+${sign.codePointAt(0)!.toString(16).toUpperCase()}>`);

/** Lines of at most so many columns, broken at spaces, and within a word only where it is longer than a line. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  const end = (): void => {
    if (line !== '') lines.push(line);
    line = '';
  };
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (columnsOf(joined) <= columns) {
      line = joined;
      continue;
    }
    end();
    for (const character of word) {
      if (columnsOf(line + character) > columns) end();
      line += character;
    }
  }
  end();
  return lines;
}
