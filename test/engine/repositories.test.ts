/** Goals in repositories with everything that git allows in them: merged, checked and landed as git itself does. */
import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { Drover } from '../../src/index.js';
import { gitDaemon } from '../support/git-server.js';
import { testBed } from '../support/redis.js';
import { shell } from '../support/tasks.js';

const bed = testBed();

function git(dir: string, ...args: string[]): string {
  const who = ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.org'];
  return execFileSync('git', [...who, ...args], { cwd: dir, encoding: 'utf8' });
}

const LINES = Array.from({ length: 9 }, (_, line) => `line ${line}\n`).join('');
const ODD = [
  ' blanks around ',
  `both "double" and 'single' quotes`,
  'new\nline',
  'tab\tname',
  '-dash',
  '--exec=touch ran',
  'composed \u00e9',
  'decomposed e\u0301',
  '名前 🐛',
  'x'.repeat(255),
  'README',
  'readme',
  '*',
  '[a]?',
  ':(top)magic',
  '$(touch ran)',
  'CON',
  '%2e%2e',
  ...['.hidden', ...Array.from({ length: 30 }, () => 'deep'), 'file']
    .map((_, at, all) => all.slice(0, at + 1).join('/'))
    .slice(-1),
];
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 123456\n`;
/** Of a filter that nobody has set up here, whatever this machine has: see git-lfs.test.ts for the real one. */
const ATTRIBUTES = '*.crlf text eol=crlf\n*.bin filter=large diff=large merge=large -text\n';

/** Somebody's checkout. */
function repositoryOf(format: string): string {
  const dir = bed.folder('theirs');
  git(dir, 'init', '-q', '-b', 'trunk', `--object-format=${format}`);
  const write = (path: string, text: string | Buffer): void => {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), text);
  };
  for (const name of ODD) write(`odd/${name}`, LINES);
  write('.gitattributes', ATTRIBUTES);
  write('ends.crlf', 'one\r\ntwo\r\n');
  write('large.bin', POINTER);
  write('run.sh', '#!/bin/sh\n');
  chmodSync(join(dir, 'run.sh'), 0o755);
  symlinkSync('odd/-dash', join(dir, 'link'));
  symlinkSync('/etc/hostname', join(dir, 'theirs-leads-out'));
  write('theirs/back\\slash', 'theirs\n');
  mkdirSync(join(dir, 'theirs'), { recursive: true });
  writeFileSync(
    Buffer.concat([Buffer.from(join(dir, 'theirs/caf')), Buffer.from([0xe9])]),
    'latin\n',
  );
  git(dir, 'add', '-A');
  git(dir, 'commit', '-qm', 'First');
  return dir;
}

/** An engine with the repository as its project `shop`. */
async function engineFor(repository: string, settings = ''): Promise<Drover> {
  const data = bed.folder();
  const projectsDir = join(data, 'projects');
  mkdirSync(projectsDir);
  writeFileSync(join(projectsDir, 'shop.yaml'), `repository: ${repository}\n${settings}`);
  const drover = await bed.start({ dataDir: data, projectsDir });
  await drover.agent('shell', 'shell', { concurrency: 4 });
  return drover;
}

const each = (command: string): string => `find odd -type f -exec sh -c '${command}' each {} ';'`;

it.each(['sha1', 'sha256'])(
  'names, links, modes, line ends and pointers of a %s repository come through as they are',
  { timeout: 120_000 },
  async (format) => {
    const repository = repositoryOf(format);
    const drover = await engineFor(repository, 'check: ["! test -e ran"]\n');
    const meet = bed.folder('meet');
    // Both change every file, and neither has the other's work before it ends its own.
    const both = await drover.enqueue({
      title: 'Change everything',
      project: 'shop',
      tasks: [
        shell(
          'above',
          `until test -e ${meet}/below; do sleep 0.02; done
          ${each('sed -i 1iabove "$1"')}
          mkdir empty; echo pointer > other.bin; printf 'three\\r\\n' >> raw.txt; chmod +x odd/-dash; chmod -x run.sh`,
        ),
        shell(
          'below',
          `touch ${meet}/below
          ${each('echo below >> "$1"')}
          until git cat-file -e autonomous/goal-1:other.bin; do sleep 0.02; done
          test "$(cat large.bin)" = "$(git cat-file blob HEAD:large.bin)" && test -x run.sh && test -L link`,
        ),
      ],
    });
    const report = await both.done();
    expect(report.tasks.map(({ state, error }) => ({ state, error }))).toEqual([
      { state: 'DONE', error: null },
      { state: 'DONE', error: null },
    ]);
    expect(git(repository, 'status', '--porcelain')).toBe('');
    await drover.approve('goal-1');
    expect(drover.ledger.board.goal('goal-1')!.landingTrouble).toBeNull();
    expect(git(repository, 'status', '--porcelain')).toBe('');
    git(repository, 'fsck', '--strict', '--no-dangling');
    for (const name of ODD)
      expect([name, readFileSync(join(repository, 'odd', name), 'utf8')]).toEqual([
        name,
        `above\n${LINES}below\n`,
      ]);
    expect(readdirSync(repository).toSorted()).toEqual(
      ['.git', '.gitattributes', 'STATE.yaml', 'ends.crlf', 'large.bin', 'link', 'odd', 'other.bin']
        .concat('raw.txt', 'run.sh', 'theirs', 'theirs-leads-out')
        .toSorted(),
    );
    expect(readFileSync(join(repository, 'ends.crlf'), 'utf8')).toBe('one\r\ntwo\r\n');
    expect(readFileSync(join(repository, 'raw.txt'), 'utf8')).toBe('three\r\n');
    expect(readFileSync(join(repository, 'large.bin'), 'utf8')).toBe(POINTER);
    expect(readlinkSync(join(repository, 'theirs-leads-out'))).toBe('/etc/hostname');
    const isExecutable = (path: string): boolean =>
      (lstatSync(join(repository, path)).mode & 0o100) !== 0;
    expect([isExecutable('run.sh'), isExecutable('odd/-dash')]).toEqual([false, true]);
    expect(git(repository, 'ls-tree', '-r', '-z', 'trunk', 'theirs')).toBe(
      git(repository, 'ls-tree', '-r', '-z', 'trunk~', 'theirs'),
    );
  },
);

it(
  'submodules are left as they are: filled by the set-up, not changed, and not in the way',
  { timeout: 120_000 },
  async () => {
    const inner = bed.folder('inner');
    const repository = bed.folder('theirs');
    for (const dir of [inner, repository]) {
      git(dir, 'init', '-q', '-b', 'trunk');
      writeFileSync(join(dir, 'file'), `${dir}\n`);
      git(dir, 'add', '-A');
      git(dir, 'commit', '-qm', 'First');
    }
    const byFile = ['-c', 'protocol.file.allow=always', 'submodule'];
    git(repository, ...byFile, 'add', '-q', inner, 'lib');
    git(repository, 'commit', '-qam', 'With a submodule');
    const link = git(repository, 'ls-tree', 'trunk', 'lib');
    // A person works in the submodule meanwhile.
    writeFileSync(join(repository, 'lib', 'built'), 'not committed\n');
    writeFileSync(join(repository, 'lib', 'file'), 'changed\n');

    const fill = `git ${byFile.join(' ')} update --init -q`;
    const settings = `setup: [${JSON.stringify(fill)}]\ncheck: ["cmp lib/file ${inner}/file"]\nland: auto\n`;
    const drover = await engineFor(repository, settings);
    const tasks = [shell('use', 'cp lib/file copy && mkdir empty')];
    await (await drover.enqueue({ title: 'Use it', project: 'shop', tasks })).done();
    await expect
      .poll(() => drover.ledger.board.goal('goal-1'))
      .toMatchObject({ landed: expect.any(String), landingTrouble: null });
    expect(git(repository, 'ls-tree', 'trunk', 'lib')).toBe(link);
    expect(readFileSync(join(repository, 'copy'), 'utf8')).toBe(`${inner}\n`);
    expect(readFileSync(join(repository, 'lib', 'file'), 'utf8')).toBe('changed\n');
    expect(git(repository, 'status', '--porcelain')).toBe(' M lib\n');

    const moving = [
      shell('move', 'cd lib && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x'),
    ];
    const report = await (
      await drover.enqueue({ title: 'Move it', project: 'shop', tasks: moving })
    ).done();
    expect(report.tasks[0]).toMatchObject({
      state: 'FAILED',
      error: expect.stringContaining('lib is a repository in the repository'),
    });
  },
);

it.each([
  ['a shallow clone', ['--depth=1']],
  ['a bare clone without files', ['--bare', '--filter=blob:none']],
  ['what a server has', undefined],
] as const)('a goal runs, is checked and lands in %s', { timeout: 120_000 }, async (_, how) => {
  const root = bed.folder('served');
  const origin = join(root, 'theirs.git');
  git(root, 'clone', '-q', '--bare', repositoryOf('sha1'), origin);
  git(origin, 'config', 'uploadpack.allowFilter', 'true');
  const url = `${await gitDaemon(root)}/theirs.git`;
  const clone = join(bed.folder('clone'), 'clone');
  // Not synchronously: the server runs in this process.
  if (how) await promisify(execFile)('git', ['clone', '-q', ...how, url, clone]);
  const settings = 'check: [test -s ends.crlf]\nland: auto\n';
  const drover = await engineFor(how ? clone : url, settings);
  const tasks = [
    shell('one', 'cat odd/-dash > one'),
    shell('two', 'echo 2 > two'),
    shell('both', 'cat one two > both', { needs: ['one', 'two'], check: { run: 'test -s both' } }),
  ];
  const report = await (await drover.enqueue({ title: 'Both', project: 'shop', tasks })).done();
  expect(report.tasks.map(({ error }) => error)).toEqual([null, null, null]);
  await expect
    .poll(() => drover.ledger.board.goal('goal-1'), { timeout: 60_000 })
    .toMatchObject({ landed: expect.any(String), landingTrouble: null });
  expect(git(how ? clone : origin, 'show', 'trunk:both')).toBe(`${LINES}2\n`);
});
