import { spawnSync } from 'node:child_process';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A project of one file in a folder of its own, and a folder that is the whole PATH. */
let dir: string;
let bin: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'drover-setup-'));
  bin = join(dir, 'bin');
  for (const folder of ['bin', 'scripts', 'src']) await mkdir(join(dir, folder));
  for (const file of [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ]) {
    await copyFile(join(root, file), join(dir, file));
  }
  for (const file of ['setup.mjs', 'build.mjs', 'browser.mjs']) {
    await copyFile(join(root, 'scripts', file), join(dir, 'scripts', file));
  }
  // The modules are the project's own, except for what the set-up writes beside them.
  await mkdir(join(dir, 'node_modules', '.cache'), { recursive: true });
  for (const name of [
    '.package-lock.json',
    'typescript',
    '@typescript',
    '@types',
    'undici-types',
  ]) {
    await symlink(join(root, 'node_modules', name), join(dir, 'node_modules', name));
  }
  for (const name of ['better-sqlite3', 'bindings', 'file-uri-to-path']) {
    await symlink(join(root, 'node_modules', name), join(dir, 'node_modules', name));
  }
  await writeFile(join(dir, 'src', 'index.ts'), 'export const one: number = 1;\n');
});

afterEach(() => rm(dir, { recursive: true }));

/** Puts a program on PATH; every call of it is noted in `calls`. */
async function program(name: string, script = ''): Promise<void> {
  const content = `#!/bin/sh\necho "${name} $*" >> "${join(dir, 'calls')}"\n${script}\n`;
  await writeFile(join(bin, name), content);
  await chmod(join(bin, name), 0o755);
}

const calls = (): Promise<string> => readFile(join(dir, 'calls'), 'utf8').catch(() => '');

function setup(
  env: NodeJS.ProcessEnv = {},
  ...args: string[]
): { status: number | null; out: string; err: string } {
  const ended = spawnSync(process.execPath, [join(dir, 'scripts', 'setup.mjs'), ...args], {
    env: { PATH: bin, HOME: dir, ...env },
    encoding: 'utf8',
  });
  return { status: ended.status, out: ended.stdout, err: ended.stderr };
}

const REDIS_URL = 'redis://127.0.0.1:1';

describe('the set-up', () => {
  it('builds once, and is silent when there is nothing to do', async () => {
    expect(setup({ REDIS_URL })).toEqual({ status: 0, out: 'Built dist/\n', err: '' });
    expect(await readFile(join(dir, 'dist', 'index.js'), 'utf8')).toContain('one = 1');
    expect(setup({ REDIS_URL })).toEqual({ status: 0, out: '', err: '' });
  });

  it('builds again what has changed, and removes what has gone', async () => {
    await writeFile(join(dir, 'src', 'gone.ts'), 'export const gone = 1;\n');
    setup({ REDIS_URL });
    await rm(join(dir, 'src', 'gone.ts'));
    await writeFile(join(dir, 'src', 'index.ts'), 'export const two: number = 2;\n');
    expect(setup({ REDIS_URL }).out).toBe('Built dist/\n');
    expect(await readFile(join(dir, 'dist', 'index.js'), 'utf8')).toContain('two = 2');
    await expect(readFile(join(dir, 'dist', 'gone.js'))).rejects.toThrow('ENOENT');
  });

  it('fails on a type error, each time', async () => {
    await writeFile(join(dir, 'src', 'index.ts'), `export const one: number = 'one';\n`);
    for (const _ of [1, 2]) {
      const { status, err } = setup({ REDIS_URL });
      expect(status).toBe(1);
      expect(err).toContain('src/index.ts(1,14)');
    }
  });

  it('installs node modules that the lock file asks for', async () => {
    await program('npm', 'exit 1');
    const lock = join(dir, 'package-lock.json');
    await writeFile(
      lock,
      (await readFile(lock, 'utf8')).replace('"version": "6.7.0"', '"version": "6.7.1"'),
    );
    const { status, out, err } = setup({ REDIS_URL });
    expect(await calls()).toMatch(/^npm ci /);
    expect({ status, out }).toEqual({ status: 1, out: 'Installing node modules (npm ci)\n' });
    expect(err).toContain('npm ci failed');
  });

  it('rebuilds better-sqlite3 where it does not load, and names the toolchain', async () => {
    await program('npm');
    await rm(join(dir, 'node_modules', 'better-sqlite3'));
    const { status, err } = setup({ REDIS_URL });
    expect(await calls()).toMatch(/^npm rebuild better-sqlite3/);
    expect(status).toBe(1);
    expect(err).toMatch(/C\+\+ toolchain.*build-essential/);
  });

  it.each(['redis-server', 'valkey-server'])('takes the %s it finds', async (name) => {
    await program(name);
    expect(setup()).toMatchObject({ status: 0 });
    expect(await calls()).toBe('');
  });

  it('installs Redis with brew and starts no service', async () => {
    await program(
      'brew',
      `: > "${join(bin, 'redis-server')}"; /bin/chmod +x "${join(bin, 'redis-server')}"`,
    );
    expect(setup()).toMatchObject({
      status: 0,
      out: expect.stringContaining('brew install redis') as string,
    });
    expect(await calls()).toBe('brew install --quiet redis\n');
  });

  it('goes on without what only serves some tests', async () => {
    for (const name of ['redis-server', 'chromium', 'brew']) await program(name);
    const { status, out } = setup({}, '--tests');
    expect(status).toBe(0);
    // Nothing but Linux has bubblewrap.
    expect(await calls()).toBe('brew install --quiet git-lfs\n');
    for (const name of ['bwrap', 'git-lfs'])
      expect(out).toContain(`There is no ${name}: tests that use it are skipped.`);
  });

  it('says what to do where it can install nothing', () => {
    const { status, err } = setup();
    expect(status).toBe(1);
    expect(err).toMatch(/apt-get install redis-server[^]*docker compose up -d redis[^]*REDIS_URL=/);
  });

  it('refuses an old Node and names the version it needs', async () => {
    const file = join(dir, 'package.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('>=20.19', '>=99.1'));
    const { status, err } = setup({ REDIS_URL });
    expect(status).toBe(1);
    expect(err).toContain(`This is Node ${process.versions.node}; Drover needs 99.1 or newer.`);
  });
});

describe('package-lock.json', () => {
  it('names the packages for every kind of machine, or `npm ci` refuses it', async () => {
    const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`],
      ),
    );
    // `npm run complete-lock` mends it.
    expect(missing).toEqual([]);
  });
});
