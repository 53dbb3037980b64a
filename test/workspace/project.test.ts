import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { committedFile, commitFiles, openProject } from '../../src/workspace/project.js';
import { temporaryFolder, userGit } from './repository.js';

async function projectWithState() {
  const project = await openProject(temporaryFolder(), 'demo');
  writeFileSync(join(project.dir, 'STATE.yaml'), 'version: 1\n');
  await commitFiles(project, ['STATE.yaml'], 'First state');
  return project;
}

describe('openProject', () => {
  test('creates a repository with one empty commit, in a folder that is missing or empty', async () => {
    const projects = join(temporaryFolder(), 'deep', 'projects');
    const { dir } = await openProject(projects, 'demo');
    expect(dir).toBe(join(projects, 'demo'));
    expect(userGit(dir, 'log', '--format=%an <%ae>|%s', 'main')).toBe(
      'Drover <drover@localhost>|Begin project demo',
    );
    mkdirSync(join(projects, 'empty'));
    await openProject(projects, 'empty');
    expect(userGit(join(projects, 'empty'), 'rev-list', '--count', 'HEAD')).toBe('1');
  });

  test('may be called by several processes at once', async () => {
    const projects = temporaryFolder();
    const module = new URL('../../dist/workspace/project.js', import.meta.url).href;
    const script = `import(${JSON.stringify(module)}).then((m) => m.openProject(${JSON.stringify(projects)}, 'demo'))`;
    const opening = Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, ['-e', script]),
    );
    await Promise.all(opening);
    expect(userGit(join(projects, 'demo'), 'log', '--format=%s')).toBe('Begin project demo');
    expect(readdirSync(projects)).toEqual(['demo']);
  });

  test('takes an existing repository as it is', async () => {
    const projects = temporaryFolder();
    const dir = join(projects, 'mine');
    mkdirSync(dir);
    userGit(dir, 'init', '-b', 'trunk');
    writeFileSync(join(dir, 'file'), 'text');
    await openProject(projects, 'mine');
    expect(userGit(dir, 'status', '--porcelain=v2', '--branch')).toBe(
      '# branch.oid (initial)\n# branch.head trunk\n? file',
    );
  });

  test.each(['../out', '/etc', '..', '.', '', 'a/b', 'a.b', '-rf', 'a\0b', '.git'])(
    'refuses %j as a name',
    async (name) => {
      await expect(openProject(temporaryFolder(), name)).rejects.toMatchObject({
        code: 'bad-input',
      });
    },
  );

  test('refuses a link that leads out, and follows one that does not', async () => {
    const projects = temporaryFolder();
    const outside = temporaryFolder();
    symlinkSync(outside, join(projects, 'out'));
    await expect(openProject(projects, 'out')).rejects.toThrow('leads out');
    symlinkSync(projects, join(projects, 'self'));
    await expect(openProject(projects, 'self')).rejects.toThrow('leads out');
    const { dir } = await openProject(projects, 'real');
    symlinkSync(dir, join(projects, 'alias'));
    await expect(openProject(projects, 'alias')).resolves.toMatchObject({ dir });
  });

  test('refuses a folder with files and no repository', async () => {
    const projects = temporaryFolder();
    mkdirSync(join(projects, 'files'));
    writeFileSync(join(projects, 'files', 'a'), 'a');
    await expect(openProject(projects, 'files')).rejects.toMatchObject({
      code: 'bad-input',
      remedy: expect.stringContaining('git init'),
    });
  });
});

describe('commitFiles', () => {
  test('commits the named files and leaves everything else as it was', async () => {
    const project = await projectWithState();
    const { dir } = project;
    for (const name of ['staged', 'changed', 'new']) writeFileSync(join(dir, name), 'one\n');
    userGit(dir, 'add', 'staged', 'changed');
    userGit(dir, 'commit', '-m', 'Work', '--', 'changed');
    writeFileSync(join(dir, 'changed'), 'two\n');
    const before = userGit(dir, 'status', '--porcelain');
    expect(before).toBe('M changed\nA  staged\n?? new');

    writeFileSync(join(dir, 'STATE.yaml'), 'version: 1 # again\n');
    mkdirSync(join(dir, 'tasks'));
    writeFileSync(join(dir, 'tasks/task-1.md'), '# One\n');
    writeFileSync(join(dir, 'tasks/notes.md'), 'not ours\n');
    const message = 'goal-1: done (Title)\n\nDrover-Goal: goal-1';
    const { commit } = await commitFiles(project, ['STATE.yaml', 'tasks/task-1.md'], message);

    expect(userGit(dir, 'rev-parse', 'HEAD')).toBe(commit);
    expect(userGit(dir, 'show', '--name-only', '--format=%B', 'HEAD')).toBe(
      `${message}\n\n\nSTATE.yaml\ntasks/task-1.md`,
    );
    expect(userGit(dir, 'status', '--porcelain')).toBe(`${before}\n?? tasks/notes.md`);
    expect(readFileSync(join(dir, 'changed'), 'utf8')).toBe('two\n');
    expect(userGit(dir, 'log', '-1', '--format=%(trailers:key=Drover-Goal,valueonly)')).toBe(
      'goal-1',
    );
  });

  test('keeps what a user has staged of a file that it commits together with it', async () => {
    const project = await projectWithState();
    writeFileSync(join(project.dir, 'STATE.yaml'), 'version: 1 # staged\n');
    userGit(project.dir, 'add', 'STATE.yaml');
    writeFileSync(join(project.dir, 'STATE.yaml'), 'version: 1 # later\n');
    await commitFiles(project, ['STATE.yaml'], 'State');
    expect(await committedFile(project, 'STATE.yaml')).toBe('version: 1 # later\n');
    expect(userGit(project.dir, 'status', '--porcelain')).toBe('');
  });

  test('commits nothing where the file on disk is the committed one again, and unstages it', async () => {
    const project = await projectWithState();
    const { dir } = project;
    const [head, text] = [userGit(dir, 'rev-parse', 'HEAD'), readFileSync(join(dir, 'STATE.yaml'))];
    writeFileSync(join(dir, 'STATE.yaml'), 'version: 1 # staged\n');
    userGit(dir, 'add', 'STATE.yaml');
    writeFileSync(join(dir, 'STATE.yaml'), text);
    expect(await commitFiles(project, ['STATE.yaml'], 'State')).toEqual({});
    expect(userGit(dir, 'rev-parse', 'HEAD')).toBe(head);
    expect(userGit(dir, 'status', '--porcelain')).toBe('');
  });

  test('commits that a file is gone', async () => {
    const project = await projectWithState();
    rmSync(join(project.dir, 'STATE.yaml'));
    await commitFiles(project, ['STATE.yaml'], 'Without');
    expect(await committedFile(project, 'STATE.yaml')).toBeUndefined();
    expect(userGit(project.dir, 'status', '--porcelain')).toBe('');
  });

  test('commits nothing where nothing changed or git ignores the file', async () => {
    const project = await projectWithState();
    expect(await commitFiles(project, ['STATE.yaml'], 'State')).toEqual({});
    writeFileSync(join(project.dir, '.gitignore'), 'tasks/\n');
    mkdirSync(join(project.dir, 'tasks'));
    writeFileSync(join(project.dir, 'tasks/task-1.md'), 'x');
    expect(await commitFiles(project, ['tasks/task-1.md'], 'Page')).toEqual({});
  });

  test('commits as the author it is given', async () => {
    const project = await projectWithState();
    writeFileSync(join(project.dir, 'STATE.yaml'), 'x: 1\n');
    await commitFiles(project, ['STATE.yaml'], 'State', { name: 'A B', email: 'a@example.com' });
    expect(userGit(project.dir, 'log', '-1', '--format=%an %ae %cn %ce')).toBe(
      'A B a@example.com A B a@example.com',
    );
  });

  test('waits where HEAD is detached, and in the middle of a merge or a rebase', async () => {
    const project = await projectWithState();
    const { dir } = project;
    const change = (text: string) => writeFileSync(join(dir, 'STATE.yaml'), text);
    const commit = () => commitFiles(project, ['STATE.yaml'], 'State');

    userGit(dir, 'checkout', '--detach');
    change('a: 1\n');
    expect(await commit()).toEqual({ skipped: expect.stringContaining('no branch') });

    userGit(dir, 'checkout', '-f', 'main');
    userGit(dir, 'checkout', '-b', 'other');
    writeFileSync(join(dir, 'file'), 'other\n');
    userGit(dir, 'add', 'file');
    userGit(dir, 'commit', '-m', 'Other');
    userGit(dir, 'checkout', 'main');
    writeFileSync(join(dir, 'file'), 'main\n');
    userGit(dir, 'add', 'file');
    userGit(dir, 'commit', '-m', 'Main');
    expect(() => userGit(dir, 'merge', 'other')).toThrow('Command failed');
    change('a: 2\n');
    expect(await commit()).toEqual({ skipped: expect.stringContaining('a merge') });
    userGit(dir, 'merge', '--abort');

    userGit(dir, 'checkout', '-f', 'main');
    expect(() => userGit(dir, 'rebase', 'other')).toThrow('Command failed');
    change('a: 3\n');
    expect(await commit()).toEqual({ skipped: expect.stringContaining('a rebase') });
    userGit(dir, 'checkout', '-f', 'HEAD', '--', 'STATE.yaml');
    userGit(dir, 'rebase', '--abort');

    change('a: 4\n');
    expect((await commit()).commit).toMatch(/^[0-9a-f]{40}$/);
  });

  test('waits for the first commit of a repository that has none', async () => {
    const projects = temporaryFolder();
    const dir = join(projects, 'mine');
    mkdirSync(dir);
    userGit(dir, 'init');
    writeFileSync(join(dir, 'STATE.yaml'), 'x: 1\n');
    const project = await openProject(projects, 'mine');
    expect(await commitFiles(project, ['STATE.yaml'], 'State')).toEqual({
      skipped: expect.stringContaining('no commit yet'),
    });
    expect(await committedFile(project, 'STATE.yaml')).toBeUndefined();
  });

  test('is refused at once where no folder can be made for it', async () => {
    const projects = process.platform === 'linux' ? '/proc/drover' : '/dev/null/drover';
    await expect(openProject(projects, 'mine')).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringContaining(`${projects}/mine cannot be used`),
    });
  });

  test('takes two thousand files at once', async () => {
    const project = await projectWithState();
    mkdirSync(join(project.dir, 'tasks'));
    const paths = Array.from({ length: 2_000 }, (_, index) => `tasks/task-${index + 1}.md`);
    for (const path of paths) writeFileSync(join(project.dir, path), path);
    await commitFiles(project, paths, 'Pages');
    expect(userGit(project.dir, 'ls-files', 'tasks').split('\n')).toHaveLength(2_000);
  });
});
