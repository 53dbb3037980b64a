import { plainText } from './plain-text.js';

/**
 * Keeps known secret values out of everything that is shown or stored.
 *
 * A value is looked for as it is and in the forms programs commonly print it in. It does not help against a
 * command that takes a secret apart on purpose: redaction guards against accidents, not against intent.
 */

export const REDACTED = '[redacted]';

/** Shorter values would turn ordinary text into noise. */
const SHORTEST_SECRET = 4;
/** Single lines of a secret are less telling than the whole: `}` or `true` must not count as secrets. */
const SHORTEST_LINE = 8;

export interface Redactor {
  /** `text` with every known secret replaced by `[redacted]`. */
  (text: string): string;
  /** For text that arrives in chunks: a secret split over two of them is found as well. */
  stream(): RedactionStream;
}

export interface RedactionStream {
  /** The redacted text that is certain so far; the possible beginning of a secret is held back. */
  push(chunk: string): string;
  /** What was held back until now, redacted. */
  end(): string;
}

/**
 * A function that replaces every one of `secretValues` with `[redacted]`: the value itself, its base64
 * (also as part of a longer encoded text), URL-encoded and JSON-escaped forms, and each line of a value of
 * several lines. Values shorter than 4 characters are not looked for.
 */
export function redactor(secretValues: readonly string[]): Redactor {
  const forms = [...new Set(secretValues.flatMap(formsOf))];
  const stream = (): RedactionStream => new FormRedaction(forms);
  const redact = (text: string): string => {
    const whole = stream();
    return whole.push(text) + whole.end();
  };
  return Object.assign(redact, { stream });
}

function formsOf(value: string): string[] {
  if (value.length < SHORTEST_SECRET) return [];
  // Through a buffer: a lone surrogate becomes U+FFFD, as on its way through a pipe, and does not throw.
  const bytes = Buffer.from(value);
  const text = bytes.toString();
  const url = encodeURIComponent(text);
  const lines = plainText(text).split('\n');
  const forms = [
    text,
    plainText(text),
    JSON.stringify(text).slice(1, -1),
    url,
    url.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    new URLSearchParams({ v: text }).toString().slice(2),
    ...base64Forms(bytes),
  ];
  if (lines.length > 1) {
    forms.push(...lines.map((line) => line.trim()).filter((line) => line.length >= SHORTEST_LINE));
  }
  return forms.filter((form) => form.length >= SHORTEST_SECRET);
}

/**
 * Base64 of the value alone and, for `user:value` and the like, of the value at each of the three offsets a
 * byte can have there: without the characters at either end that depend on the neighbours.
 */
function base64Forms(bytes: Buffer): string[] {
  const whole = bytes.toString('base64');
  const forms = [whole, bytes.toString('base64url')];
  for (const offset of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    const from = Math.ceil((offset * 8) / 6);
    const to = Math.floor((shifted.length * 8) / 6);
    forms.push(shifted.toString('base64').slice(from, to));
    forms.push(shifted.toString('base64url').slice(from, to));
  }
  // Printed, a long one is broken into lines: `openssl base64` writes 64 characters, `base64` writes 76.
  for (const width of [64, 76]) {
    const pieces = whole.match(new RegExp(`.{${SHORTEST_LINE},${width}}`, 'g')) ?? [];
    if (whole.length > width) forms.push(...pieces);
  }
  return forms;
}

type Span = [from: number, to: number];

/** Overlapping secrets are covered as one span, so that none of them shows where another one begins. */
class FormRedaction implements RedactionStream {
  readonly #forms: readonly string[];
  readonly #longest: number;
  /** Shorter than the longest form: it may be the beginning of one. */
  #held = '';
  /** So many characters of `#held` belong to a secret whose replacement has been given out already. */
  #covered = 0;

  constructor(forms: readonly string[]) {
    this.#forms = forms;
    this.#longest = forms.reduce((longest, form) => Math.max(longest, form.length), 0);
  }

  push(chunk: string): string {
    const text = this.#held + chunk;
    return this.#give(text, text.length - this.#possibleBeginning(text));
  }

  end(): string {
    return this.#give(this.#held, this.#held.length);
  }

  /** Gives out `text` up to `cut`, and holds the rest. */
  #give(text: string, cut: number): string {
    let given = '';
    let at = 0;
    let covered = 0;
    for (const [from, to] of this.#spans(text)) {
      if (from >= cut) break;
      const isContinued = from === 0 && this.#covered > 0;
      given += text.slice(at, from) + (isContinued ? '' : REDACTED);
      at = Math.min(to, cut);
      covered = Math.max(0, to - cut);
    }
    given += text.slice(at, cut);
    this.#held = text.slice(cut);
    this.#covered = cut === 0 ? this.#covered : covered;
    return given;
  }

  /** Where secrets stand in `text`: in order, none touching another. */
  #spans(text: string): Span[] {
    const found: Span[] = this.#covered > 0 ? [[0, this.#covered]] : [];
    for (const form of this.#forms) {
      for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) {
        found.push([at, at + form.length]);
      }
    }
    found.sort((one, other) => one[0] - other[0]);
    const merged: Span[] = [];
    for (const span of found) {
      const last = merged.at(-1);
      if (last !== undefined && span[0] < last[1]) last[1] = Math.max(last[1], span[1]);
      else merged.push(span);
    }
    return merged;
  }

  /** The length of the longest end of `text` that is the beginning of a secret, and not the whole of it. */
  #possibleBeginning(text: string): number {
    let longest = 0;
    const tail = text.slice(Math.max(0, text.length - this.#longest + 1));
    for (const form of this.#forms) {
      const first = form.charAt(0);
      const from = Math.max(0, tail.length - form.length + 1);
      for (let at = tail.indexOf(first, from); at !== -1; at = tail.indexOf(first, at + 1)) {
        if (tail.length - at <= longest) break;
        if (form.startsWith(tail.slice(at))) {
          longest = tail.length - at;
          break;
        }
      }
    }
    return longest;
  }
}
