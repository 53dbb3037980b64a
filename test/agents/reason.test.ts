/** What people read of a failed attempt. */
import { describe, expect, it } from 'vitest';
import { reasonOf } from '../../src/agents/reason.js';
import { asError, DroverError } from '../../src/core/errors.js';

const circle = new Error('round');
circle.cause = circle;

describe('why an attempt failed', () => {
  it.each<[string, Error, string]>([
    ['its message', new Error('no'), 'no'],
    [
      'what went wrong in each of several',
      new AggregateError([new Error('a is away'), new TypeError('b is not')], 'All have failed'),
      'All have failed; a is away; b is not',
    ],
    [
      'what it came from',
      new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:1') }),
      'fetch failed: connect ECONNREFUSED 127.0.0.1:1',
    ],
    ['no cause that it repeats', new Error('a: b', { cause: new Error('b') }), 'a: b'],
    ['itself as its cause', circle, 'round'],
    ['its name for want of a message', new RangeError(), 'RangeError'],
    ['what helps', new DroverError('conflict', 'It is taken.', 'Wait.'), 'It is taken. Wait.'],
  ])('has %s', (_, error, reason) => {
    expect(reasonOf(error)).toBe(reason);
  });

  it('is what an object says, or which fields it has, but not their values', () => {
    expect(reasonOf(asError({ message: 'gone', token: 'hidden' }))).toBe('gone');
    const reason = reasonOf(asError({ status: 401, token: 'hidden' }));
    expect(reason).toBe('An object without a message was thrown; it has status, token.');
  });

  it('names no more causes than a person reads', () => {
    let error = new Error('0');
    for (let index = 1; index < 100; index += 1) error = new Error(`<${index}>`, { cause: error });
    expect(reasonOf(error).split(': ')).toHaveLength(6);
  });
});
