/**
 * Text of any length in bounded memory: its head, and a ring of bytes for its tail. What comes between the two
 * is counted and let go.
 */
export class BoundedText {
  readonly #headLimit: number;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  readonly #ring: Buffer;
  /** Where the next byte goes. */
  #at = 0;
  #total = 0;

  /** Keeps the first `headLimit` and the last `tailLimit` bytes. */
  constructor(headLimit: number, tailLimit: number) {
    this.#headLimit = headLimit;
    this.#ring = Buffer.alloc(tailLimit);
  }

  append(text: string): void {
    const bytes = Buffer.from(text);
    this.#total += bytes.length;
    const forHead = Math.min(bytes.length, this.#headLimit - this.#headBytes);
    if (forHead > 0) {
      this.#head.push(bytes.subarray(0, forHead));
      this.#headBytes += forHead;
    }
    this.#appendToRing(bytes.subarray(forHead));
  }

  /** How many bytes were let go between head and tail. */
  get omittedBytes(): number {
    return Math.max(0, this.#total - this.#headBytes - this.#ring.length);
  }

  /** The text, or its head and tail with a line between them that says how much is left out. */
  toString(): string {
    if (this.omittedBytes === 0) return Buffer.concat([...this.#head, this.#tail()]).toString();
    const tail = withoutBrokenStart(this.#tail()).toString();
    if (this.#headLimit === 0) return tail;
    const head = withoutBrokenEnd(Buffer.concat(this.#head)).toString();
    const isAtLineEnd = head.endsWith('\n');
    return `${head}${isAtLineEnd ? '' : '\n'}[${this.omittedBytes} bytes left out]\n${tail}`;
  }

  #appendToRing(bytes: Buffer): void {
    const size = this.#ring.length;
    if (size === 0) return;
    const kept = bytes.subarray(Math.max(0, bytes.length - size));
    const untilWrap = Math.min(kept.length, size - this.#at);
    kept.copy(this.#ring, this.#at, 0, untilWrap);
    kept.copy(this.#ring, 0, untilWrap);
    this.#at = (this.#at + kept.length) % size;
  }

  #tail(): Buffer {
    const written = this.#total - this.#headBytes;
    if (written < this.#ring.length) return this.#ring.subarray(0, written);
    return Buffer.concat([this.#ring.subarray(this.#at), this.#ring.subarray(0, this.#at)]);
  }
}

const isContinuation = (byte: number | undefined): boolean =>
  byte !== undefined && (byte & 0xc0) === 0x80;

/** The cut may have gone through a character of several bytes: its remains would show as rubbish. */
function withoutBrokenStart(bytes: Buffer): Buffer {
  let start = 0;
  while (start < 3 && isContinuation(bytes[start])) start += 1;
  return bytes.subarray(start);
}

function withoutBrokenEnd(bytes: Buffer): Buffer {
  let lead = bytes.length - 1;
  while (lead > 0 && isContinuation(bytes[lead])) lead -= 1;
  const byte = bytes[lead] ?? 0;
  const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
  return lead + length > bytes.length ? bytes.subarray(0, lead) : bytes;
}
