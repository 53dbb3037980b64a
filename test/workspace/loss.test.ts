import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changesBetween } from '../../src/workspace/changes.js';
import { lossesOf } from '../../src/workspace/loss.js';
import { commitTree } from '../../src/workspace/commits.js';
import { mergeWork } from '../../src/workspace/merge.js';
import type { Repository } from '../../src/workspace/repository.js';
import { putFiles } from '../../src/workspace/trees.js';
import { userGit, userRepository, writeFiles } from './repository.js';
import { begun, merged, opened } from './work.js';

type Files = Readonly<Record<string, readonly string[]>>;

async function commitOf(repository: Repository, files: Files, parents: string[] = []) {
  const empty = (await repository.objects.run(['mktree'], { input: '' })).trim();
  const entries = Object.entries(files).map(([path, lines]) => ({
    path,
    content: lines.map((line) => `${line}\n`).join(''),
  }));
  const tree = await putFiles(repository, empty, entries);
  return commitTree(repository, { tree, parents, message: 'x' });
}

const line = fc.constantFrom(
  'a',
  'b',
  'c',
  '',
  '}',
  '@@ -1 +1 @@',
  '--- a/x',
  'diff --git a/x b/x',
);
const paths = ['one', 'two', 'three'] as const;
const files = fc.record(
  Object.fromEntries(paths.map((path) => [path, fc.array(line, { maxLength: 12 })])),
  { requiredKeys: [] },
) as fc.Arbitrary<Files>;
/** Edits at places that are told by a number, so that they fit files of any length. */
const edits = fc.array(
  fc.record({
    path: fc.constantFrom(...paths),
    at: fc.nat(12),
    remove: fc.nat(3),
    add: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', '', '}'), { maxLength: 3 }),
    move: fc.option(fc.constantFrom('four', ...paths), { freq: 6 }),
  }),
  { maxLength: 5 },
);

function edit(before: Files, all: typeof edits extends fc.Arbitrary<infer T> ? T : never): Files {
  const after = new Map(Object.entries(before));
  for (const { path, at, remove, add, move } of all) {
    const lines = after.get(path);
    if (!lines) continue;
    after.delete(path);
    after.set(move ?? path, lines.toSpliced(Math.min(at, lines.length), remove, ...add));
  }
  return Object.fromEntries(after);
}

const counts = (lines: readonly string[] = []): Map<string, number> => {
  const result = new Map<string, number>();
  for (const each of lines) result.set(each, (result.get(each) ?? 0) + 1);
  return result;
};

async function linesOf({ objects }: Repository, tree: string, path: string): Promise<string[]> {
  const text = await objects.run(['cat-file', 'blob', `${tree}:${path}`]).catch(() => '');
  return text.split('\n').slice(0, -1);
}

describe('a merge that is made', () => {
  test('has every line of the goal that the task did not take out, whatever both did', async () => {
    const repository = await opened();
    let made = 0;
    await fc.assert(
      fc.asyncProperty(files, edits, edits, async (base, byGoal, byTask) => {
        const [goalFiles, taskFiles] = [edit(base, byGoal), edit(base, byTask)];
        const start = await commitOf(repository, base);
        const onto = await commitOf(repository, goalFiles, [start]);
        const head = await commitOf(repository, taskFiles, [start]);
        const result = await mergeWork(repository, onto, { start, head });
        if (result.kind !== 'merged') return;
        made += 1;
        // Told by files that the task left alone, which need no idea of a difference.
        for (const path of Object.keys(goalFiles)) {
          const isUntouched = base[path]?.join() === taskFiles[path]?.join() && path in base;
          const wasThere = path in goalFiles && path in base;
          if (isUntouched && wasThere)
            expect(await linesOf(repository, result.tree, path)).toEqual(goalFiles[path]);
        }
        // And over all files: a line goes only as often as the task took it out of some file.
        const all = [...paths, 'four'];
        const left = counts(
          (await Promise.all(all.map((path) => linesOf(repository, result.tree, path)))).flat(),
        );
        const had = counts(Object.values(goalFiles).flat());
        const taken = counts(byTask.length > 0 ? Object.values(base).flat() : []);
        for (const [each, times] of had) {
          const most = taken.get(each) ?? 0;
          expect((left.get(each) ?? 0) + most).toBeGreaterThanOrEqual(times);
        }
      }),
      { numRuns: 12 },
    );
    expect(made).toBeGreaterThan(0);
  });

  test('is the only one that passes: a tree that lacks any line is found out', async () => {
    const repository = await opened();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'b', '', '}'), { minLength: 1, maxLength: 8 }),
        fc.nat(),
        fc.boolean(),
        async (lines, at, isTouched) => {
          const base: Files = { one: ['top'], two: ['t'] };
          const start = await commitOf(repository, base);
          const goal = { ...base, one: ['top', ...lines] };
          const onto = await commitOf(repository, goal, [start]);
          const task = isTouched ? { ...base, one: ['new', 'top'] } : { ...base, two: ['T'] };
          const work = await commitOf(repository, task, [start]);
          const short = goal.one.toSpliced(1 + (at % lines.length), 1);
          const tree = await commitOf(repository, {
            ...goal,
            ...(!isTouched && task),
            one: short,
          });
          const changes = await changesBetween(repository, start, work);
          const losses = await lossesOf(repository, { start, work, onto, merged: tree, changes });
          expect(losses).toMatchObject([{ path: 'one', count: 1 }]);
        },
      ),
      { numRuns: 10 },
    );
  });
});

test('merge drivers that a repository configures do not run', async () => {
  const location = userRepository({
    'a.txt': '1\n2\n3\n',
    '.gitattributes': 'a.txt merge=mine\nb.txt merge=union\n',
    'b.txt': 'x\n',
  });
  userGit(location, 'config', 'merge.mine.driver', 'true');
  userGit(location, 'config', 'merge.default', 'mine');
  const repository = await opened({ location });
  const [one, two] = [await begun(repository, 'task-1'), await begun(repository, 'task-2')];
  writeFiles(one.worktree.dir, { 'a.txt': 'ONE\n2\n3\n', 'b.txt': 'one\n' });
  writeFiles(two.worktree.dir, { 'a.txt': '1\n2\nTWO\n', 'b.txt': 'x\n' });
  await merged(repository, one.claim, one.worktree);
  const { commit } = await merged(repository, two.claim, two.worktree);
  expect(userGit(location, 'show', `${commit}:a.txt`)).toBe('ONE\n2\nTWO');
  const three = await begun(repository, 'task-3');
  const four = await begun(repository, 'task-4');
  writeFiles(three.worktree.dir, { 'b.txt': 'three\n' });
  writeFiles(four.worktree.dir, { 'b.txt': 'four\n' });
  await merged(repository, three.claim, three.worktree);
  await expect(merged(repository, four.claim, four.worktree)).rejects.toThrow('"kind":"conflict"');
});

test('a task that merges the branch by hand and drops its lines takes lines away', async () => {
  const repository = await opened();
  const [one, two] = [await begun(repository, 'task-1'), await begun(repository, 'task-2')];
  writeFiles(one.worktree.dir, { 'a.txt': 'a\none\n', 'new.txt': 'new\n' });
  const { commit } = await merged(repository, one.claim, one.worktree);
  writeFiles(two.worktree.dir, { 'c.txt': 'c\n' });
  userGit(two.worktree.dir, 'merge', '-s', 'ours', '-m', 'Mine', commit);
  const again = await merged(repository, two.claim, two.worktree);
  expect(userGit(repository.dir, 'show', `${again.commit}:a.txt`)).toBe('a\none');
  expect(userGit(repository.dir, 'ls-tree', '--name-only', again.commit)).toBe(
    'a.txt\nc.txt\nnew.txt',
  );
});
