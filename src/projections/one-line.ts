/** Text of anybody's, fit for one line of a file or a commit message. Pure. */
import type { Json } from '../core/plan.js';

/** Line ends, control characters, what turns the direction of text, and halves of characters. */
const UNFIT = /[\s\p{Cc}\p{Cs}\p{Bidi_Control}]+/gu;

/** @param max characters that are kept; what is cut is shown by an ellipsis */
export function oneLine(text: string, max = 200): string {
  // Leaves room for characters of two units and for spaces, and bounds the work on a long text.
  const clean = text
    .slice(0, max * 4)
    .replace(UNFIT, ' ')
    .trim();
  const isLonger = text.length > max * 4;
  if (clean.length <= max && !isLonger) return clean;
  const characters = Array.from(clean);
  return characters.length <= max && !isLonger
    ? clean
    : `${characters.slice(0, max - 1).join('')}…`;
}

const known = new WeakMap<object, string>();

/** A result in short; empty where there is none. */
export function shortResult(result: Json): string {
  if (result === null) return '';
  if (typeof result !== 'object') return oneLine(String(result));
  // Results never change, may be large, and are shown again whenever STATE.yaml is written.
  const before = known.get(result);
  if (before !== undefined) return before;
  const text = oneLine(JSON.stringify(result));
  known.set(result, text);
  return text;
}
