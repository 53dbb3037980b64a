/** Whatever stands in a stream, it is translated or left out; nothing stops the recorder. */
import { describe, expect, it } from 'vitest';
import { translate } from '../../src/recorder/translate.js';

const place = { project: 'p', goal: 'goal-1', task: 'task-1' };
const kept: string[] = [];
const read = (fields: Record<string, string>) =>
  translate(
    { queue: 'q', entry: '5-1', fields: { jobId: 'task-1', ...fields } },
    (job) => (job === 'task-1' ? place : undefined),
    (text) => {
      kept.push(text);
      return 'kept';
    },
  );
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('an entry of a stream', () => {
  it('is an event of its task, with Redis’ time and its origin', () => {
    expect(read({ event: 'completed', returnvalue: '{"a":[1]}' })).toEqual({
      ...place,
      time: 5,
      event: { type: 'task.completed', result: { a: [1] } },
      origin: { queue: 'q', entry: '5-1' },
    });
  });

  it('keeps a result that is no JSON as a text', () => {
    expect(read({ event: 'completed', returnvalue: '{"a":' })?.event).toMatchObject({
      result: '{"a":',
    });
  });

  it('has what is too large put away as JSON, whatever wrote it, and a reason cut off', () => {
    const fits = JSON.stringify('x'.repeat(64 * 1024 - 2));
    const json = JSON.stringify('ü'.repeat(32 * 1024));
    const text = 'not JSON'.repeat(10_000);
    expect(read({ event: 'completed', returnvalue: fits })?.event).toEqual({
      type: 'task.completed',
      result: JSON.parse(fits),
    });
    expect(kept).toEqual([]);
    expect(read({ event: 'completed', returnvalue: json })?.event).toMatchObject({
      result: 'kept',
    });
    expect(read({ event: 'progress', data: json })?.event).toMatchObject({ progress: 'kept' });
    expect(read({ event: 'completed', returnvalue: text })?.event).toMatchObject({
      result: 'kept',
    });
    expect(kept).toEqual([json, json, JSON.stringify(text)]);
    const lost = read({ event: 'failed', failedReason: 'job stalled more than allowable limit' });
    expect(lost?.event).toMatchObject({ reason: expect.stringContaining('killed') });
    const failed = read({ event: 'failed', failedReason: 'y'.repeat(64 * 1024 + 7) })?.event;
    expect(failed).toMatchObject({ reason: expect.stringMatching(/^y{65536}… \(7 more/) });
    // Of what is nobody's task, nothing is put away.
    expect(read({ event: 'completed', returnvalue: json, jobId: 'other' })).toBeUndefined();
    expect(kept).toHaveLength(3);
  });

  it('keeps a result nested too deeply to be stored as a text, however deep', () => {
    for (const depth of [501, 20_000]) {
      const event = read({ event: 'completed', returnvalue: nested(depth) })?.event;
      expect(event).toMatchObject({ result: nested(depth) });
      expect(() => JSON.stringify(event)).not.toThrow();
    }
    expect(read({ event: 'completed', returnvalue: nested(500) })?.event).toMatchObject({
      result: JSON.parse(nested(500)) as unknown,
    });
    const brackets = JSON.stringify('["\\'.repeat(1_000));
    expect(read({ event: 'completed', returnvalue: brackets })?.event).toMatchObject({
      result: '["\\'.repeat(1_000),
    });
  });

  it('of an agent is left out where it is none of the known, or nested too deeply', () => {
    const data = (progress: string) =>
      `{"claim":1,"type":"task.progressed","progress":${progress}}`;
    expect(read({ event: 'drover', data: data('5') })?.event).toMatchObject({ progress: 5 });
    expect(read({ event: 'drover', data: data(nested(20_000)) })).toBeUndefined();
    expect(
      read({ event: 'drover', data: '{"claim":0,"type":"task.progressed","progress":1}' }),
    ).toBeUndefined();
    expect(
      read({ event: 'drover', data: '{"claim":1,"type":"task.completed","result":1}' }),
    ).toBeUndefined();
  });
});
