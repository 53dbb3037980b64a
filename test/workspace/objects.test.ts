/** What is read and written without git has to be what git itself reads and writes. */
import { existsSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesBetween } from '../../src/workspace/changes.js';
import { commitTree, isWithin, readCommit, treeOf } from '../../src/workspace/commits.js';
import { openRepository, type Repository } from '../../src/workspace/repository.js';
import { moveRefs, readRefs, refsBelow } from '../../src/workspace/refs.js';
import { fileIn, putFiles, type TreeFile } from '../../src/workspace/trees.js';
import { temporaryFolder, userGit, userRepository } from './repository.js';

async function opened(dir = userRepository()): Promise<Repository> {
  const { PATH } = process.env;
  const place = { name: 'objects', location: dir, dataDir: temporaryFolder() };
  return openRepository({ ...place, environment: { PATH } });
}

const name = fc.constantFrom('a', 'a.b', 'a-b', 'b', 'ä', 'x y');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
/** Files of a tree, none of which lies where another one is. */
const files = fc
  .dictionary(path, fc.constantFrom('1\n', '2\n', ''), { maxKeys: 6 })
  .map((all) =>
    Object.entries(all).filter(
      ([each]) => !Object.keys(all).some((other) => each.startsWith(`${other}/`)),
    ),
  )
  .map((all): TreeFile[] => all.map(([each, content]) => ({ path: each, content })));

describe('trees and commits', () => {
  it('are what git makes of the same files, and differ as git says', async () => {
    const repository = await opened();
    const { objects, dir } = repository;
    const empty = userGit(dir, 'mktree', '--missing', '-z');
    await fc.assert(
      fc.asyncProperty(files, files, async (before, after) => {
        const [from, to] = [
          await putFiles(repository, empty, before),
          await putFiles(repository, empty, after),
        ];
        for (const [tree, all] of [
          [from, before],
          [to, after],
        ] as const) {
          const listed = userGit(dir, 'ls-tree', '-r', '--name-only', '-z', tree);
          const names = listed.split('\0').filter(Boolean);
          expect(new Set(names)).toEqual(new Set(all.map((file) => file.path)));
        }
        const raw = await objects.run(['diff-tree', '-r', '-z', '--no-renames', from, to]);
        const said = (await changesBetween(repository, from, to))
          .map(
            (each) =>
              `:${each.oldMode} ${each.newMode} ${each.oldObject} ${each.newObject} ${each.path}`,
          )
          .join('\n');
        expect(said).toBe(raw.replaceAll(/ [ADMT]\0([^\0]+)\0/g, ' $1\n').trimEnd());
        // One tree's files in place of the other's give the other one.
        const gone = before
          .filter((file) => !after.some((other) => other.path === file.path))
          .map((file): TreeFile => ({ path: file.path, mode: '000000', object: '' }));
        expect(await putFiles(repository, from, [...gone, ...after])).toBe(to);
      }),
      { numRuns: 25 },
    );
    expect(userGit(dir, 'fsck', '--strict', '--no-dangling')).toBe('');
  });

  it('are read by git, by whom and when included', async () => {
    const repository = await opened();
    const first = userGit(repository.dir, 'rev-parse', 'HEAD');
    const tree = await putFiles(repository, first, [{ path: 'deep/er/ü.txt', content: 'text' }]);
    const author = { name: ' O’Neil <x>, Jr. ', email: 'neil@example.com' };
    const message = 'Subject\n\nBody ü';
    const id = await commitTree(repository, { tree, parents: [first], message, author });
    const shown = userGit(repository.dir, 'show', '-s', '--format=%T%n%P%n%an|%ae%n%cI%n%B', id);
    const read = await readCommit(repository, id);
    const time = read!.time.replace('+00:00', shown.includes('Z\n') ? 'Z' : '+00:00');
    expect(shown).toBe(`${tree}\n${first}\nO’Neil x, Jr|neil@example.com\n${time}\n${message}`);
    expect(read).toMatchObject({ tree, parents: [first], message: `${message}\n` });
    expect(await fileIn(repository, id, 'deep/er/ü.txt')).toBe('text');
    expect(await fileIn(repository, id, 'deep/er')).toBeUndefined();
    userGit(repository.dir, 'fsck', '--strict', '--no-dangling');
  });

  it('are found again after they were packed, and where another repository lends them', async () => {
    const repository = await opened();
    const { dir, gitDir, store } = repository;
    const first = userGit(dir, 'rev-parse', 'HEAD');
    expect(await treeOf(repository, first)).toBe(userGit(dir, 'rev-parse', 'HEAD^{tree}'));
    userGit(dir, 'commit', '--allow-empty', '-m', 'Second');
    const second = userGit(dir, 'rev-parse', 'HEAD');
    userGit(dir, 'gc', '--quiet', '--prune=now');
    expect(await isWithin(repository, first, second)).toBe(true);
    expect(await isWithin(repository, second, first)).toBe(false);
    const other = userRepository({ 'other.txt': 'other\n' });
    const lent = userGit(other, 'rev-parse', 'HEAD:other.txt');
    expect(await store.read(lent)).toBeUndefined();
    mkdirSync(join(gitDir, 'objects', 'info'), { recursive: true });
    writeFileSync(
      join(gitDir, 'objects', 'info', 'alternates'),
      `${join(other, '.git', 'objects')}\n`,
    );
    expect((await store.read(lent))?.content.toString()).toBe('other\n');
  });

  it('are read in the order of the questions, large ones too', async () => {
    const repository = await opened();
    const { dir, store } = repository;
    const texts = Array.from({ length: 40 }, (_, at) => `${at}\n`.repeat(at * 1_500));
    const ids = texts.map((text, at) => {
      writeFileSync(join(dir, `large-${at}`), text);
      return userGit(dir, 'hash-object', '-w', `large-${at}`);
    });
    const read = await Promise.all(ids.map((id) => store.get(id)));
    expect(read.map(({ content }) => content.toString())).toEqual(texts);
  });
});

describe('references', () => {
  it('are the same from their files, packed or not, and through names that are links', async () => {
    const repository = await opened();
    const { dir, gitDir } = repository;
    const commit = userGit(dir, 'rev-parse', 'HEAD');
    const kept = ['refs/drover/kept/task-1.1', 'refs/drover/kept/task-1.2'];
    await moveRefs(
      repository,
      kept.map((ref) => ({ ref, from: null, to: commit })),
    );
    const asked = [...kept, 'refs/heads/main', 'refs/heads/mai', 'refs/drover/kept'];
    const expected = new Map([...kept, 'refs/heads/main'].map((ref) => [ref, commit]));
    expect(await readRefs(repository, asked)).toEqual(expected);
    userGit(dir, 'pack-refs', '--all');
    expect(existsSync(join(gitDir, 'refs/heads/main'))).toBe(false);
    expect(await readRefs(repository, asked)).toEqual(expected);
    await moveRefs(repository, [{ ref: kept[0]!, from: commit, to: null }]);
    userGit(dir, 'update-ref', 'refs/drover/kept/task-2.1', commit);
    const below = await refsBelow(repository, 'refs/drover/kept/');
    expect([...below.keys()]).toEqual([kept[1], 'refs/drover/kept/task-2.1']);
    userGit(dir, 'symbolic-ref', 'refs/heads/link', 'refs/heads/main');
    expect((await readRefs(repository, ['refs/heads/link'])).get('refs/heads/link')).toBe(commit);
  });
});
