/** Whatever stands in a stream, it is translated or left out; nothing stops the recorder. */
import { describe, expect, it } from 'vitest';
import { translate } from '../../src/recorder/translate.js';

const place = { project: 'p', goal: 'goal-1', task: 'task-1' };
const read = (fields: Record<string, string>) =>
  translate({ queue: 'q', entry: '5-1', fields: { jobId: 'task-1', ...fields } }, (job) =>
    job === 'task-1' ? place : undefined,
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
