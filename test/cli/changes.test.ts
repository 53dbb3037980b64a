/** What changes about a task, as it is typed. */
import { expect, test } from 'vitest';
import { CHANGE_ARGS, readChanges } from '../../src/cli/changes.js';

const nothing = Object.fromEntries(Object.keys(CHANGE_ARGS).map((name) => [name, undefined]));
const read = (values: Partial<Parameters<typeof readChanges>[0]>) =>
  readChanges({ ...(nothing as Parameters<typeof readChanges>[0]), ...values });

test('only what is typed changes', () => {
  expect(read({})).toEqual({});
  expect(read({ retry: '{attempts: 5}', with: '{"a":1}' })).toEqual({
    retry: { attempts: 5 },
    with: { a: 1 },
  });
  expect(read({ retry: '{backoff: {type: fixed, delay: 10s}, unless: [never]}' })).toMatchObject({
    retry: { backoff: { type: 'fixed', delay: 10_000 }, unless: ['never'] },
  });
});

test('what cannot be used is named by its option', () => {
  expect(() => read({ title: 'x'.repeat(1_001) })).toThrow(/^--title cannot be used: /);
  expect(() => read({ with: '[1]' })).toThrow(/^--with cannot be used: /);
  for (const wrong of ['{attempts: 0}', '5', '{}', '{backoff: 10s}', '{', 'attempts 5']) {
    expect(() => read({ retry: wrong })).toThrow(/^--retry cannot be used: [^\n]+$/);
  }
});
