import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { plainText, PlainTextStream } from '../../src/agents/plain-text.js';

it('drops escape sequences and control characters, and keeps tabs and newlines', () => {
  expect(plainText('\u001b[1;31mred\u001b[0m\tand\r\n\u0000plain\u0007\u009b')).toBe(
    'red\tand\nplain',
  );
  expect(plainText('\u001b]0;a title\u0007text \u001b]8;;http://x\u001b\\link')).toBe('text link');
});

it('lets no open sequence swallow what follows', () => {
  const stream = new PlainTextStream();
  const text = stream.push(`\u001b]${'x'.repeat(5_000)}`) + stream.end();
  expect(text).toContain('x'.repeat(2_000));
});

it('drops from chunks what it drops from one piece', () => {
  const unit = fc.constantFrom(
    '\u001b',
    '[',
    ']',
    '\u0007',
    '\\',
    '3',
    ';',
    'm',
    'P',
    '(',
    'x',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(fc.string({ unit, maxLength: 8 }), { maxLength: 8 }), (chunks) => {
      const stream = new PlainTextStream();
      const pieces = [...chunks.map((chunk) => stream.push(chunk)), stream.end()];
      expect(pieces.join('')).toBe(plainText(chunks.join('')));
    }),
    { numRuns: 2_000 },
  );
});
