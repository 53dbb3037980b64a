import { expect, test } from 'vitest';
import { foldedNotes } from '../../src/cli/render/notes.js';

const unread = (task: number): string =>
  `Entries of the queue ‘shell’ are not recorded yet; task-${task} cannot be judged.`;

test('what is said of many tasks is one line that names a few', () => {
  const many = Array.from({ length: 90 }, (_, index) => unread(index + 1));
  expect(
    foldedNotes([...many, 'goal-1 is DONE, and Redis holds none of its jobs any more.']),
  ).toEqual([
    `${unread(1)} (The same of task-2, task-3, task-4 and 86 more.)`,
    'goal-1 is DONE, and Redis holds none of its jobs any more.',
  ]);
});

test('what differs in more than its task is not folded', () => {
  const other = unread(2).replace('shell', 'tester');
  expect(foldedNotes([unread(1), other])).toEqual([unread(1), other]);
});

test('few are all named', () => {
  expect(foldedNotes([1, 2, 3, 4, 5].map(unread))).toEqual([
    `${unread(1)} (The same of task-2, task-3, task-4, task-5.)`,
  ]);
});
