import { StringDecoder } from 'node:string_decoder';

import { BoundedText } from './bounded-text.js';
import { PlainTextStream } from './plain-text.js';
import type { RedactionStream, Redactor } from './redact.js';

/**
 * What a command writes, on its way from bytes to lines. The order of the steps matters: an escape sequence
 * inside a secret would hide it, so text is made plain before it is redacted; and what is redacted may be
 * cut anywhere, so nothing is cut before.
 */

export type OutputStream = 'stdout' | 'stderr';
export type OutputListener = (line: string, stream: OutputStream) => void;

/** Characters of one line handed to the listener; longer ones are cut. */
const LINE_LIMIT = 8_192;
const LINE_CUT = ' [line cut]';

export interface CollectedOutput {
  output: string;
  stdout: string;
  truncatedBytes: number;
}

export class CommandOutput {
  readonly #redact: Redactor;
  readonly #onLine: OutputListener | undefined;
  readonly #both: BoundedText;
  readonly #stdout: BoundedText;
  #last: { stream: OutputStream; endsLine: boolean } = { stream: 'stdout', endsLine: true };
  readonly #readers: Record<OutputStream, LineReader>;

  /** Keeps `maxBytes` of both streams together, half of them for the head, and as much of stdout's tail. */
  constructor(maxBytes: number, redact: Redactor, onLine: OutputListener | undefined) {
    this.#redact = redact;
    this.#onLine = onLine;
    const headBytes = Math.floor(maxBytes / 2);
    this.#both = new BoundedText(headBytes, maxBytes - headBytes);
    this.#stdout = new BoundedText(0, maxBytes);
    this.#readers = { stdout: this.#reader('stdout'), stderr: this.#reader('stderr') };
  }

  push(chunk: Buffer, stream: OutputStream): void {
    this.#readers[stream].push(chunk);
  }

  /** Hands out the last unfinished lines and returns what was kept. To be called once, at the end. */
  end(): CollectedOutput {
    this.#readers.stdout.end();
    this.#readers.stderr.end();
    return {
      // Once more as a whole: two streams may have put a secret together that neither had alone.
      output: this.#redact(this.#both.toString()),
      stdout: this.#stdout.toString(),
      truncatedBytes: this.#both.omittedBytes,
    };
  }

  #reader(stream: OutputStream): LineReader {
    const keep = (text: string): void => {
      if (text === '') return;
      const wouldMix = !this.#last.endsLine && this.#last.stream !== stream;
      this.#both.append(wouldMix ? `\n${text}` : text);
      this.#last = { stream, endsLine: text.endsWith('\n') };
      if (stream === 'stdout') this.#stdout.append(text);
    };
    return new LineReader(this.#redact.stream(), keep, (line) => this.#onLine?.(line, stream));
  }
}

/** One stream. Whole lines are kept together, so that the two streams do not mix within a line. */
class LineReader {
  readonly #decoder = new StringDecoder('utf8');
  readonly #plain = new PlainTextStream();
  /** The line that has not ended yet, at most `LINE_LIMIT` characters of it. */
  #line = '';
  /** The line has been handed out, cut, and still goes on. */
  #isCut = false;

  constructor(
    private readonly redaction: RedactionStream,
    private readonly keep: (text: string) => void,
    private readonly onLine: (line: string) => void,
  ) {}

  push(chunk: Buffer): void {
    this.#take(this.redaction.push(this.#plain.push(this.#decoder.write(chunk))));
  }

  end(): void {
    const rest = this.#plain.push(this.#decoder.end()) + this.#plain.end();
    this.#take(this.redaction.push(rest) + this.redaction.end());
    if (this.#line === '') return;
    this.keep(this.#line);
    this.#handOut(this.#line);
    this.#line = '';
  }

  #take(text: string): void {
    const all = this.#line + text;
    const end = all.lastIndexOf('\n') + 1;
    this.#line = all.slice(end);
    if (end > 0) {
      this.keep(all.slice(0, end));
      for (const line of all.slice(0, end - 1).split('\n')) {
        if (!this.#isCut) this.#handOut(line);
        this.#isCut = false;
      }
    }
    if (this.#line.length > LINE_LIMIT || this.#isCut) {
      this.keep(this.#line);
      if (!this.#isCut) this.#handOut(this.#line);
      this.#isCut = true;
      this.#line = '';
    }
  }

  #handOut(line: string): void {
    if (line.length <= LINE_LIMIT) return this.onLine(line);
    // A surrogate pair is not torn apart.
    const isTorn = /[\ud800-\udbff]/.test(line.charAt(LINE_LIMIT - 1));
    this.onLine(line.slice(0, isTorn ? LINE_LIMIT - 1 : LINE_LIMIT) + LINE_CUT);
  }
}
