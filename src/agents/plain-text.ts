/**
 * Text without terminal control: what a command wrote for a terminal is read in logs, in reports and on
 * pages, where an escape sequence is noise at best and a forged line at worst.
 */

/* oxlint-disable no-control-regex -- control characters are what this file is about */

/**
 * CSI, then the string sequences (OSC, DCS, APC, PM, SOS), then two-character escapes. Lengths are
 * bounded, so that an escape that is never closed cannot swallow the output that follows it.
 */
const ESCAPE =
  /\u001b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|[\]PX^_][^\u0007\u001b]{0,2048}(?:\u0007|\u001b\\)|[ -/]{0,8}[0-Z\\`-~])/g;

/** The same, not finished yet: it stands at the end of a chunk and goes on in the next one. */
const UNFINISHED =
  /\u001b(?:\[[0-?]{0,64}[ -/]{0,8}|[\]PX^_][^\u0007\u001b]{0,2048}\u001b?|[ -/]{0,8})$/;
const LONGEST_UNFINISHED = 2_052;

/** C0 and C1 controls and DEL, but for tab and newline. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** `text` without escape sequences, and without control characters other than newline and tab. */
export function plainText(text: string): string {
  return text.replace(ESCAPE, '').replace(CONTROL, '');
}

/** `plainText` for text that arrives in chunks. */
export class PlainTextStream {
  #unfinished = '';

  /** The plain text that is certain so far. */
  push(chunk: string): string {
    const text = this.#unfinished + chunk;
    const tail = text.slice(-LONGEST_UNFINISHED);
    const at = tail.search(UNFINISHED);
    const cut = at === -1 ? text.length : text.length - tail.length + at;
    this.#unfinished = text.slice(cut);
    return plainText(text.slice(0, cut));
  }

  /** What was held back until now. */
  end(): string {
    const rest = this.#unfinished;
    this.#unfinished = '';
    return plainText(rest);
  }
}
