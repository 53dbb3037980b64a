/** Reads text line by line, with the bytes as they stood, so that a checksum can be made of them. */
import { DroverError } from '../../core/errors.js';

export interface Line {
  /** From 1. */
  readonly number: number;
  /** With the line's end, where it has one. */
  readonly bytes: Buffer;
  readonly text: string;
}

/** Bytes that a line may have: 256 MiB. */
const LONGEST = 256 * 1024 * 1024;

/** @throws DroverError `bad-input` for a line that would not fit into memory. */
export async function* readLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let number = 0;
  let begun: Buffer[] = [];
  let length = 0;
  const take = (): Line => {
    const bytes = Buffer.concat(begun);
    begun = [];
    length = 0;
    number += 1;
    return { number, bytes, text: bytes.toString('utf8') };
  };
  for await (const part of input) {
    const chunk = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    for (let start = 0; start < chunk.length;) {
      const end = chunk.indexOf(0x0a, start);
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end + 1);
      begun.push(piece);
      length += piece.length;
      start += piece.length;
      if (length > LONGEST) {
        throw new DroverError('bad-input', `Line ${number + 1} is longer than ${LONGEST} bytes.`);
      }
      if (end !== -1) yield take();
    }
  }
  if (length > 0) yield take();
}
