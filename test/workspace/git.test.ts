import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { gitIn } from '../../src/workspace/git.js';
import { temporaryFolder, userGit } from './repository.js';

describe('gitIn', () => {
  test('says that git is missing', async () => {
    const dir = temporaryFolder();
    await expect(gitIn(dir, { environment: { PATH: dir } }).run(['status'])).rejects.toMatchObject({
      code: 'not-found',
      message: 'git was not found.',
    });
  });

  test('does not take a folder inside a repository for that repository', async () => {
    const dir = temporaryFolder();
    userGit(dir, 'init', '-b', 'main');
    mkdirSync(join(dir, 'inside'));
    await expect(gitIn(join(dir, 'inside')).run(['status'])).rejects.toMatchObject({
      code: 'bad-input',
    });
  });

  test('runs no hook, monitor or signing program that the repository configures', async () => {
    const dir = temporaryFolder();
    userGit(dir, 'init', '-b', 'main');
    const program = join(dir, 'program');
    writeFileSync(program, `#!/bin/sh\ntouch ${join(dir, 'ran')}\n`);
    chmodSync(program, 0o755);
    writeFileSync(join(dir, '.git/hooks/pre-commit'), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
    for (const key of ['core.fsmonitor', 'gpg.program', 'core.editor'])
      userGit(dir, 'config', key, program);
    userGit(dir, 'config', 'commit.gpgSign', 'true');
    const git = gitIn(dir);
    await git.run(['add', 'program']);
    await git.run(['commit', '-m', 'Add a program']);
    expect(existsSync(join(dir, 'ran'))).toBe(false);
    // The same repository does run them for others, so the test could tell.
    expect(() =>
      userGit(dir, '-c', 'commit.gpgSign=false', 'commit', '--allow-empty', '-m', 'x'),
    ).not.toThrow();
    expect(existsSync(join(dir, 'ran'))).toBe(true);
  });

  test('reaches other machines by no program that the repository configures', async () => {
    const dir = temporaryFolder();
    userGit(dir, 'init', '-b', 'main');
    const program = join(dir, 'program');
    writeFileSync(program, `#!/bin/sh\necho "$@" >> ${join(dir, 'ran')}\nexit 1\n`);
    chmodSync(program, 0o755);
    for (const key of ['core.sshCommand', 'core.askPass', 'core.gitProxy'])
      userGit(dir, 'config', key, program);
    userGit(dir, 'config', `url.ext::${program} .insteadOf`, 'trick:');
    userGit(dir, 'config', 'protocol.ext.allow', 'always');
    // Nobody listens on the port of this one.
    const urls = ['ssh://127.0.0.1:1/x', 'git://127.0.0.1:1/x', 'trick:x'];
    for (const url of urls) await expect(gitIn(dir).run(['ls-remote', url])).rejects.toThrow();
    expect(existsSync(join(dir, 'ran'))).toBe(false);
    // For others each of them runs it, so the test could tell.
    for (const url of urls) expect(() => userGit(dir, 'ls-remote', url)).toThrow();
    expect(readFileSync(join(dir, 'ran'), 'utf8').trim().split('\n')).toHaveLength(3);
  });

  test('reaches them by the program that the environment names', async () => {
    const dir = temporaryFolder();
    userGit(dir, 'init', '-b', 'main');
    for (const name of ['GIT_SSH', 'GIT_SSH_COMMAND']) {
      const program = join(dir, `it's ${name}`);
      writeFileSync(program, `#!/bin/sh\ntouch '${join(dir, name)}'\nexit 1\n`, { mode: 0o755 });
      const value = name === 'GIT_SSH' ? program : `"${program}"`;
      const git = gitIn(dir, { environment: { [name]: value } });
      await expect(git.run(['ls-remote', 'ssh://127.0.0.1:1/x'])).rejects.toThrow();
      expect(existsSync(join(dir, name))).toBe(true);
    }
  });

  test('waits for a lock that goes away', async () => {
    const dir = temporaryFolder();
    userGit(dir, 'init', '-b', 'main');
    writeFileSync(join(dir, 'a'), 'a');
    const lock = join(dir, '.git/index.lock');
    writeFileSync(lock, '');
    const adding = gitIn(dir).run(['add', 'a']);
    await sleep(100);
    rmSync(lock);
    await adding;
    expect(userGit(dir, 'ls-files')).toBe('a');
  });

  test('names the lock file that stays', async () => {
    const dir = temporaryFolder();
    userGit(dir, 'init', '-b', 'main');
    writeFileSync(join(dir, 'a'), 'a');
    const lock = join(dir, '.git/index.lock');
    writeFileSync(lock, '');
    await expect(gitIn(dir).run(['add', 'a'])).rejects.toMatchObject({
      code: 'hindered',
      message: expect.stringContaining(lock),
      remedy: expect.stringContaining(`remove ${lock}`),
    });
  });

  test('fails also where a command says nothing', async () => {
    const dir = temporaryFolder();
    userGit(dir, 'init', '-b', 'main');
    await expect(gitIn(dir).run(['config', '--get', 'no.such'])).rejects.toThrow('status 1');
  });

  test('does one thing at a time in one directory', async () => {
    const dir = temporaryFolder();
    const order: string[] = [];
    const work = (name: string, ms: number) =>
      gitIn(dir).exclusive(async () => {
        order.push(`${name} begins`);
        await sleep(ms);
        order.push(`${name} ends`);
        if (name === 'b') throw new Error('b fails');
      });
    const all = await Promise.allSettled([work('a', 20), work('b', 10), work('c', 0)]);
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});
