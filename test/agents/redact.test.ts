import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { redactor } from '../../src/agents/redact.js';

describe('redactor', () => {
  it('replaces values, the longest first', () => {
    const redact = redactor(['abcd', 'abcdefgh']);
    expect(redact('<abcdefgh> <abcd> <abcdef>')).toBe('<[redacted]> <[redacted]> <[redacted]ef>');
  });

  it('covers values that overlap', () => {
    expect(redactor(['abcdef', 'defghi'])('<abcdefghi>')).toBe('<[redacted]>');
  });

  it('leaves short values and other text alone', () => {
    expect(redactor(['abc', ''])('abc is short')).toBe('abc is short');
    expect(redactor([])('nothing is secret')).toBe('nothing is secret');
  });

  it('knows the forms in which values are printed', () => {
    const secret = 'p"ss/w\\rd +ä?';
    const redact = redactor([secret]);
    expect(redact(Buffer.from(secret).toString('base64'))).toBe('[redacted]');
    expect(redact(Buffer.from(secret).toString('base64url'))).toBe('[redacted]');
    expect(redact(encodeURIComponent(secret))).toBe('[redacted]');
    const lowerCase = encodeURIComponent(secret).replace(/%../g, (hex) => hex.toLowerCase());
    expect(redact(lowerCase)).toBe('[redacted]');
    expect(redact(String(new URLSearchParams({ key: secret })))).toBe('key=[redacted]');
    expect(redact(JSON.stringify({ key: secret }))).toBe('{"key":"[redacted]"}');
  });

  it('knows base64 of a value inside other text', () => {
    const secret = 'correct horse battery';
    const redact = redactor([secret]);
    for (const before of ['', 'a', 'ab', 'abc', 'user:']) {
      const encoded = Buffer.from(`${before}${secret}\n`).toString('base64');
      expect(redact(encoded)).toContain('[redacted]');
      expect(redact(encoded).replace('[redacted]', '').length).toBeLessThan(before.length * 2 + 8);
    }
  });

  it('knows the single lines of a value, and of its base64', () => {
    const key = `-----BEGIN KEY-----\n${'k'.repeat(64)}\n${'l'.repeat(64)}\nm\n-----END KEY-----`;
    const redact = redactor([key]);
    expect(redact(key)).toBe('[redacted]');
    expect(redact(`| ${key.replaceAll('\n', '\n| ')}`)).not.toMatch(/k{9}|l{9}|KEY/);
    const encoded = Buffer.from(key).toString('base64').replace(/.{76}/g, '$&\n');
    expect(redact(encoded).replaceAll('[redacted]', '').trim()).toMatch(/^\s*\S{0,8}$/);
  });

  it('finds in chunks what it finds in one piece', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 60 });
    const values = fc.array(
      fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 4, maxLength: 9 }),
      {
        maxLength: 3,
      },
    );
    fc.assert(
      fc.property(values, fc.array(letters, { maxLength: 6 }), (secrets, chunks) => {
        const redact = redactor(secrets);
        const stream = redact.stream();
        const pieces = [...chunks.map((chunk) => stream.push(chunk)), stream.end()];
        expect(pieces.join('')).toBe(redact(chunks.join('')));
        for (const secret of secrets) expect(pieces.join('')).not.toContain(secret);
      }),
      { numRuns: 2_000 },
    );
  });

  it('holds back no more than could be a secret', () => {
    const stream = redactor(['secret-value']).stream();
    expect(stream.push('ready> ')).toBe('ready> ');
    expect(stream.push('the sec')).toBe('the ');
    expect(stream.push('ond')).toBe('second');
    expect(stream.push('secret')).toBe('');
    expect(stream.end()).toBe('secret');
  });
});
