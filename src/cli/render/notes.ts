/** Remarks of an audit, which may be the same for every task of a large goal. */
import { alike, someOf } from '../../core/alike.js';

/** What a remark is about. */
const ID = /\b(?:goal|task)-\d+\b/;

/** The remarks; what is said of many goals or tasks is said of the first, and the next few are named. */
export const foldedNotes = (notes: readonly string[]): string[] =>
  alike(notes, (note) => note.replace(ID, '')).map(([first, ...others]) => {
    const names = others.map((other) => ID.exec(other)?.[0] ?? other);
    return names.length === 0 ? first : `${first} (The same of ${someOf(names)}.)`;
  });
