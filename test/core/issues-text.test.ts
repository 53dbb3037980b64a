/** Mistakes in requests, in words. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { issuesText } from '../../src/core/issues-text.js';

const textFor = (schema: z.ZodType, value: unknown): string =>
  issuesText(schema.safeParse(value).error!);

test('each mistake is named with its place, in one line', () => {
  const wrong = z.string().refine(() => false, { error: 'must be a goal such as goal-7' });
  expect(textFor(z.object({ id: wrong }), { id: 'x' })).toBe('id: must be a goal such as goal-7');
  expect(textFor(wrong, 'x')).toBe('must be a goal such as goal-7');
  expect(textFor(z.object({ tasks: z.array(wrong) }), { tasks: ['x', 'y'] })).toBe(
    'tasks.0: must be a goal such as goal-7; tasks.1: must be a goal such as goal-7',
  );
});

test('many mistakes are counted', () => {
  const text = textFor(z.array(z.never({ error: 'no' })), Array.from({ length: 1_000 }));
  expect(text).toBe('0: no; 1: no; 2: no; 3: no; 4: no; and 995 more');
});
